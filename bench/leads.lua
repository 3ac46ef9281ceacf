-- Leads as form.js sends them, each of another person. Arguments: run.
local made, run = 0, "a"
local HEADERS = { ["Content-Type"] = "application/json" }

function init(args) run = args[1] or run end

function request()
  made = made + 1
  local body = string.format('{"name":"Ana Example","email":"%s-%d@example.com",'
    .. '"phone":"+44 20 7946 0123","message":"May I see residence %s %d?","budget":"1m",'
    .. '"__visitor_id":"av%08x","__site":"demo","timeToSubmit":42000}',
    run, made, run, made, made % 1000)
  return wrk.format("POST", "/api/lead", HEADERS, body)
end
