// Begins requests at a constant rate and checks each answer.
import http from "k6/http";
import exec from "k6/execution";
import { SharedArray } from "k6/data";
import { Counter, Trend } from "k6/metrics";

const path = JSON.parse(open(__ENV.REQUESTS)).path;
const rows = new SharedArray("rows", () => JSON.parse(open(__ENV.REQUESTS)).rows);
const answered = new Trend("answered", true);
const refused = new Trend("refused", true);
const right = new Counter("right");
const wrong = new Counter("wrong");
const failed = new Counter("failed");
const url = __ENV.TARGET + path;
const headers = { headers: { "content-type": "application/json" }, timeout: __ENV.TIMEOUT };

export const options = {
  scenarios: {
    open: {
      executor: "constant-arrival-rate",
      rate: Number(__ENV.RATE),
      timeUnit: "1s",
      duration: `${__ENV.SECONDS}s`,
      preAllocatedVUs: Number(__ENV.MOST),
      gracefulStop: __ENV.TIMEOUT,
    },
  },
  summaryTrendStats: ["count", "p(50)", "p(95)", "p(99)", "p(99.9)"],
  systemTags: [],
};

export default function () {
  const row = rows[exec.scenario.iterationInTest % rows.length];
  const answer = http.post(url, row[0], headers);
  if (answer.status === 200) {
    answered.add(answer.timings.duration);
    const good = answer.body.replace(/\s/g, "").includes(row[1]);
    // what was still queued when the load ended is no throughput of these seconds
    const inTime = Date.now() <= exec.scenario.startTime + 1000 * Number(__ENV.SECONDS);
    if (!good) {
      wrong.add(1);
    } else if (inTime) {
      right.add(1);
    }
  } else if (answer.status === 503) {
    refused.add(answer.timings.duration);
  } else {
    failed.add(1);
  }
}

export function handleSummary(data) {
  const values = (name) => (data.metrics[name] ? data.metrics[name].values : {});
  const a = values("answered");
  const r = values("refused");
  const line = {
    right: values("right").count || 0,
    wrong: values("wrong").count || 0,
    refused: r.count || 0,
    failed: values("failed").count || 0,
    dropped: values("dropped_iterations").count || 0,
    p50_ms: a["p(50)"] || 0,
    p95_ms: a["p(95)"] || 0,
    p99_ms: a["p(99)"] || 0,
    p999_ms: a["p(99.9)"] || 0,
    refused_p99_ms: r.count ? r["p(99)"] : null,
  };
  return { stdout: `marline ${JSON.stringify(line)}\n` };
}
