-- Puts a host script together as host_bridge/hosts/build.py does. As a chunk its value is the function (script, facts) -> text;
-- as a program, lua5.4 build.lua SCRIPT SPOOL ENGINE_FILE COMMAND..., it prints that text.

local here = debug.getinfo (1, "S").source:match ("^@(.*)/[^/]*$") or "."
local shared = here .. "/../../host_bridge/lua/"

local function read (path)
	local file = io.open (path, "rb")
	if not file then return nil end
	local text = file:read ("a")
	file:close ()
	return text
end

local function quoted (text)
	return '"' .. text:gsub ('[%c"\\\128-\255]', function (byte) return ("\\%03d"):format (byte:byte ()) end) .. '"'
end

local function build (script, facts)
	local command = {}
	for index, word in ipairs (facts.command) do command[index] = quoted (word) end
	local written = ("{ command = { %s }, spool = %s, engine_file = %s }"):format (
		table.concat (command, ", "), quoted (facts.spool), quoted (facts.engine_file))
	local folder, lines = script:match ("^(.*/)") or "", {}
	for line in (assert (read (script), script) .. "\n"):gmatch ("(.-)\n") do
		local name = line:match ("^%-%-@include ([%a_][%w_]*)%.lua[ \t]*$")
		if name then
			local text = assert (read (folder .. name .. ".lua") or read (shared .. name .. ".lua"), name .. ".lua is nowhere")
			line = "local " .. name .. " = (function ()\n" .. text .. "\nend) ()"
		elseif line:find ("^%-%-@facts[ \t]*$") then
			line = "local FACTS = " .. written
		end
		lines[#lines + 1] = line
	end
	return table.concat (lines, "\n")
end

if arg and arg[0] and arg[0]:find ("build%.lua$") then
	local script, spool, engine_file = arg[1], arg[2], arg[3]
	io.write (build (script, { command = { table.unpack (arg, 4) }, spool = spool, engine_file = engine_file }))
end

return build
