-- Scripts in the strict REAPER: the table of functions that they see, their windows, their steps, and how long those are.

local signatures = ...
local CALL_S = 2e-6

-- Put the functions into `f`, and `reaper`, `launch`, `finish` and `tick` into the fake. shared: what its parts have
-- together.
return function (f, shared)
	local P, secret = shared.P, shared.secret

	-- Scripts. Each has its own globals and its own window.
	function f.NamedCommandLookup (name)
		local id = 0
		for index, each in ipairs (P.commands) do
			if each.name == name then id = 50000 + index end
		end
		return id
	end
	function f.Main_OnCommand (id)
		if id == 42230 then return shared.render () end
		local command = P.commands[id - 50000]
		if not command then error ("no such action, " .. id, 3) end
		P.launch (command)
	end
	function f.defer (act) table.insert (P.current.deferred, act) end
	function f.atexit (act) P.current.exit = act end
	function f.set_action_options (flags) P.current.relaunch = flags end

	local LETTERS = { P = "ReaProject*", T = "MediaTrack*", M = "MediaItem*", K = "MediaItem_Take*", C = "PCM_source*",
		A = "AudioAccessor*", R = "array" }
	local function fits (letter, value)
		if letter == "N" then return type (value) == "number" and value == value end
		if letter == "I" then return math.tointeger (value) ~= nil and type (value) == "number" end
		if letter == "S" then return type (value) == "string" and utf8.len (value) ~= nil and not value:find ("\0") end
		if letter == "B" then return type (value) == "boolean" end
		if letter == "F" then return type (value) == "function" end
		if letter == "P" and value == 0 then return true end
		local data = type (value) == "table" and secret[value]
		return data and (letter == "*" or (data.valid and data.kind == LETTERS[letter]))
	end
	P.reaper = setmetatable ({}, {
		__newindex = function () error ("the table of REAPER's functions is not ours", 2) end,
		__index = function (_, name)
			local letters, act = signatures[name], f[name]
			if not letters then error ("REAPER has no function " .. tostring (name) .. " that we know of", 2) end
			if not act then error ("the fake lacks " .. name, 2) end
			return function (...)
				if select ("#", ...) ~= #letters then
					error (string.format ("%s wants %d arguments and got %d", name, #letters, select ("#", ...)), 2)
				end
				for index = 1, #letters do
					if not fits (letters:sub (index, index), (select (index, ...))) then
						error (string.format ("%s, argument %d: %s", name, index, tostring ((select (index, ...)))), 2)
					end
				end
				P.calls[name] = (P.calls[name] or 0) + 1
				P.clock = P.clock + CALL_S
				if P.breaks and P.breaks[name] then error (P.breaks[name], 2) end
				return act (...)
			end
		end,
	})

	local function window_of ()
		local window = { open = false, w = 460, h = 100, key = 0 }
		local functions = {
			init = function () window.open, window.opened = true, (window.opened or 0) + 1 end,
			quit = function () window.open = false end,
			getchar = function ()
				local key = window.open and window.key or -1
				window.key = 0
				if key == -1 then window.open = false end
				return key
			end,
			update = function () end, rect = function () end, set = function () end, setfont = function () end,
			drawstr = function (text) window.text = (window.text or "") .. text .. "\n" end,
		}
		local fields = { x = 0, y = 0, mouse_x = 0, mouse_y = 0, mouse_cap = 0 }
		window.fields = fields
		local gfx = setmetatable ({}, {
			__index = function (_, key)
				if key == "getchar" then window.last, window.text = window.text, "" end
				if key == "w" or key == "h" then return window[key] end
				return functions[key] or fields[key] or error ("gfx has no " .. tostring (key), 2)
			end,
			__newindex = function (_, key, value)
				if fields[key] == nil then error ("gfx has no " .. tostring (key), 2) end
				fields[key] = value
			end,
		})
		return gfx, window
	end

	-- One step of a script, as long as REAPER waits for it. What escapes from it REAPER would show as an error.
	local function step (script, act)
		local before, outer = P.clock, P.current
		P.current = script
		act ()
		P.current = outer
		if P.refresh ~= 0 then error ("PreventUIRefresh is left at " .. P.refresh) end
		if P.depth ~= 0 then error ("an undo block is left open") end
		P.steps, P.longest = P.steps + 1, math.max (P.longest, P.clock - before)
	end
	function P.finish (script)
		for index = #P.scripts, 1, -1 do
			if P.scripts[index] == script then table.remove (P.scripts, index) end
		end
		script.window.open = false
		if script.exit then step (script, script.exit) end
	end
	function P.launch (command)
		for _, running in ipairs (P.scripts) do
			if running.command == command and #running.deferred > 0 then
				if (running.relaunch or 0) & 3 ~= 3 then error ("REAPER would ask whether to end " .. command.name) end
				P.finish (running)
				break
			end
		end
		local gfx, window = window_of ()
		local script = { command = command, deferred = {}, window = window }
		local library = { reaper = P.reaper, gfx = gfx, string = string, table = table, math = math, utf8 = utf8, io = io, os = os,
			pairs = pairs, ipairs = ipairs, next = next, select = select, type = type, tostring = tostring, tonumber = tonumber,
			pcall = pcall, xpcall = xpcall, error = error, assert = assert, setmetatable = setmetatable, getmetatable = getmetatable }
		local env = setmetatable ({}, {
			__index = function (_, key) return library[key] or error ("the script reads the unknown " .. tostring (key), 2) end,
			__newindex = function (_, key) error ("the script makes a global, " .. tostring (key), 2) end,
		})
		table.insert (P.scripts, script)
		step (script, assert (loadfile (command.path, "t", env)))
		if #script.deferred == 0 then P.finish (script) end
	end

	-- Let time pass: each script has its deferred step.
	function P.tick (seconds)
		P.clock = P.clock + seconds
		for _, script in ipairs ({ table.unpack (P.scripts) }) do
			local deferred = script.deferred
			script.deferred = {}
			for _, act in ipairs (deferred) do step (script, act) end
			if #script.deferred == 0 and script.command then
				local alive = false
				for _, each in ipairs (P.scripts) do alive = alive or each == script end
				if alive then P.finish (script) end
			end
		end
	end
end
