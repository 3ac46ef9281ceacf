-- Beacons as tracker.js sends them: one view, then three engagements of views sent a while ago,
-- so that each engagement's view was acknowledged before. Arguments: run, delay in ms.
local made, run, pause = 0, "a", 0
local LAG = 400
local MESSAGE = '{"v":1,"site":"demo","visitor_id":"%sv%08x","session_id":"%ss%08x",'
  .. '"page_view_id":"%sp%08x","seq":%d,"type":"%s",'
  .. '"url":"https://www.example.com/residences/two-bedroom?utm_source=google","title":"Residences",'
  .. '"referrer":"https://www.google.com/","screen":"1440x900","language":"en-GB",'
  .. '"timezone":"Europe/London","fingerprint":"5f2c9a1b","duration_ms":%d,"scroll_percent":%d,'
  .. '"scrollable":true,"clicks":%d,"automation":false,"age_ms":%d}'
local HEADERS = {
  ["Content-Type"] = "text/plain;charset=UTF-8",
  ["User-Agent"] = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36"
    .. " (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
}

function init(args)
  run, pause = args[1] or run, tonumber(args[2] or "0")
  if pause == 0 then delay = nil end
end

function delay() return pause end

function request()
  local step, seq = math.floor(made / 4), made % 4
  made = made + 1
  local id, kind = step, "view"
  if seq > 0 then
    if step < LAG then seq = 0 else id, kind = step - LAG, "engage" end
    if seq == 0 then id = step * 4 + made % 4 + 0x10000000 end
  end
  local body = string.format(MESSAGE, run, id, run, id, run, id, seq, kind, seq * 1000, seq * 30,
    seq, kind == "view" and 60000 or 0)
  return wrk.format("POST", "/api/track", HEADERS, body)
end
