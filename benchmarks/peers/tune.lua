-- One connection per thread, so that the answer a thread gets is to the request it sent last.
-- wrong is global: done() reads it from every thread
local requests, patterns, current = {}, {}, 0
wrong = 0
local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

function init(arguments)
  local path = arguments[1]
  for line in io.lines(path .. "/requests") do
    requests[#requests + 1] = wrk.format("POST", wrk.path, { ["Content-Type"] = "application/json" }, line)
  end
  for line in io.lines(path .. "/patterns") do
    patterns[#patterns + 1] = line
  end
  -- each thread begins elsewhere in the texts
  current = (number * 37) % #requests
  wrong = 0
end

function request()
  current = current % #requests + 1
  return requests[current]
end

function response(status, headers, body)
  if status ~= 200 or not string.find(body, patterns[current]) then
    wrong = wrong + 1
  end
end

function done(summary, latency, all)
  local bad = 0
  for _, thread in ipairs(threads) do
    bad = bad + thread:get("wrong")
  end
  local e = summary.errors
  io.write(string.format(
    '{"answers": %d, "wrong": %d, "broken": %d, "seconds": %.3f, "p50_ms": %.3f, "p99_ms": %.3f}\n',
    summary.requests, bad, e.connect + e.read + e.write + e.timeout, summary.duration / 1e6,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
