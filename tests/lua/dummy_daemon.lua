-- A daemon without a model: it takes a job's folder like the real one and leaves what that would, stems of a steady level.

local json, wav, sounds = ...
local dummy = {}

local function read (path)
	local file = io.open (path, "rb")
	if not file then return nil end
	local text = file:read ("a")
	file:close ()
	return text
end

local function write (path, text)
	local file = assert (io.open (path, "wb"))
	file:write (text)
	file:close ()
end

function dummy.new (spool)
	local daemon = { level = 0.5 }

	function daemon.ids ()
		local ids, listing = {}, io.popen ("ls -1 '" .. spool .. "'")
		for name in listing:lines () do ids[#ids + 1] = name end
		listing:close ()
		return ids
	end

	function daemon.request (id)
		return assert (json.decode (read (spool .. "/" .. id .. "/request.json")))
	end

	function daemon.state (id, state, more)
		local told = { schema = "zerostem-state/1", id = id, state = state, permille = 0, stage = "", eta_s = -1, device = "",
			attempt = 1, code = 0, error = "" }
		for key, value in pairs (more or {}) do told[key] = value end
		write (spool .. "/" .. id .. "/state.json", json.encode (told))
	end

	function daemon.beat (beat)
		write (spool .. "/daemon.json", json.encode ({ schema = "zerostem-daemon/1", version = "1", pid = 1, beat = beat }))
	end

	local function placed (stem, folder)
		local base, number = stem:match ("([^/]+)%.wav$"), 1
		while true do
			local place = folder .. "/" .. base .. (number > 1 and " (" .. number .. ")" or "") .. ".wav"
			local there = read (place)
			if there == nil then write (place, read (stem)) end
			if there == nil or there == read (stem) then return place end
			number = number + 1
		end
	end

	-- Do a job, or do it again. more: keys of the result; strengths, by prompt; absent: prompts that are not found.
	function daemon.finish (id, more)
		more = more or {}
		local request, folder = daemon.request (id), spool .. "/" .. id
		local region = request.source and sounds.open (request.source[1].path) or assert (sounds.open (folder .. "/region.wav"))
		local frames, channels = region.frames, region.channels
		if request.source then frames, channels = request.source[1].length, #request.source end
		local result = { schema = "zerostem-sidecar/1", stems = {}, null_dbfs = -150 }
		local made, samples = {}, {}
		os.execute ("mkdir -p '" .. folder .. "/stems'")
		local function file (name, level)
			for index = 1, frames * channels do samples[index] = level end
			local path = folder .. "/stems/" .. request.name .. " - " .. name .. ".wav"
			write (path, wav.header (region.rate, channels, frames, 0) .. wav.samples (samples, frames * channels))
			made[#made + 1] = path
			return path
		end
		for index, stem in ipairs (request.stems) do
			local strength = (more.strengths or {})[stem.prompt] or stem.strength
			result.stems[index] = { prompt = stem.prompt, strength = strength, found = not (more.absent or {})[stem.prompt],
				path = file (stem.prompt, daemon.level * strength) }
		end
		result.rest = file ("rest", 1 - daemon.level)
		if request.deliver and not more.undelivered then
			result.delivered = {}
			for index, path in ipairs (made) do result.delivered[index] = placed (path, request.deliver) end
		end
		write (folder .. "/result.json", json.encode (result))
		daemon.state (id, "done", { permille = 1000 })
	end

	return daemon
end

return dummy
