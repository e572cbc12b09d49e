-- A pause before every request, in ms, which wrk leaves out of its latencies; the figures in µs as one line of JSON.
local pause = tonumber(os.getenv("THINK_MS"))

function delay()
    return pause
end

function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        '{"p50_us": %d, "p99_us": %d, "count": %d, "duration_us": %d, "errors": %d}\n',
        latency:percentile(50), latency:percentile(99), summary.requests, summary.duration,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout
    ))
end
