-- What Ardour's sandbox lets a script do with the machine, in the form in which `job.lua` wants it.

local machine = {}

local WINDOWS = FACTS.spool:find ("^%a:") ~= nil

local function quoted (word)
	if WINDOWS then return '"' .. word .. '"' end
	return "'" .. word:gsub ("'", "'\\''") .. "'"
end

function machine.make_folder (path)
	os.execute ((WINDOWS and "mkdir " or "mkdir -p -m 700 ") .. quoted (path))
	return true -- Ardour leaves nobody to tell how a command ended; `job.begin` tries the folder
end

-- Starts a command and does not wait for it. Ardour's own libraries are none of its business.
function machine.run (words)
	if os.forkexec and not WINDOWS then
		os.forkexec ("/usr/bin/env", "-u", "LD_LIBRARY_PATH", table.unpack (words))
		return
	end
	local line = {}
	for _, word in ipairs (words) do line[#line + 1] = quoted (word) end
	if WINDOWS then
		os.execute ('start "ZeroStem" /b ' .. table.concat (line, " "))
	else
		os.execute (table.concat (line, " ") .. " >/dev/null 2>&1 &")
	end
end

function machine.now ()
	return ARDOUR.LuaAPI.monotonic_time () / 1e6
end

-- Lua's own numbers are the same after each start; microseconds are not.
function machine.random ()
	return ARDOUR.LuaAPI.monotonic_time () * 2654435761
end

return machine
