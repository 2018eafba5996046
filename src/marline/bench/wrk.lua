-- Asks the questions of a file in turn and checks each answer.  One thread has one connection, so the
-- answer that comes belongs to the question asked last.
local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

function init(args)
  local loaded = dofile(args[1])
  requests, labels = {}, {}
  for i, row in ipairs(loaded.rows) do
    requests[i] = wrk.format("POST", loaded.path, {["content-type"] = "application/json"}, row[1])
    labels[i] = row[2]
  end
  -- each thread begins elsewhere, so that they do not ask the same at the same time
  at = (number * 61) % #requests
  right, wrong, refused = 0, 0, 0
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function response(status, headers, body)
  if status ~= 200 then
    refused = refused + 1
  elseif string.find(body, labels[at]) then
    right = right + 1
  else
    wrong = wrong + 1
  end
end

function done(summary, latency)
  local counts = {right = 0, wrong = 0, refused = 0}
  for _, thread in ipairs(threads) do
    for name in pairs(counts) do
      counts[name] = counts[name] + thread:get(name)
    end
  end
  local e = summary.errors
  print(string.format(
    'marline {"seconds":%.6f,"right":%d,"wrong":%d,"refused":%d,"lost":%d,' ..
    '"p50_ms":%.3f,"p95_ms":%.3f,"p99_ms":%.3f,"p999_ms":%.3f}',
    summary.duration / 1e6, counts.right, counts.wrong, counts.refused,
    e.connect + e.read + e.write + e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3,
    latency:percentile(99) / 1e3, latency:percentile(99.9) / 1e3))
end
