-- How the strict REAPER sounds: accessors, which cost time by the sample, and the render action.

local wav = ...
local SAMPLE_S = 3e-7

-- Put the functions into `f`. shared: what the parts of the fake have together.
return function (f, shared)
	local P, options, secret, new, project = shared.P, shared.options, shared.secret, shared.new, shared.project

	local read, write, selected = shared.read, shared.write, shared.selected

	-- Audio as it is heard before any effect.
	local function take_at (take, seconds, channel)
		local source, reverse = take.source, false
		if source.parent then source, reverse = source.parent, true end
		local at = take.values.D_STARTOFFS + seconds * take.values.D_PLAYRATE
		if seconds < 0 or seconds >= take.item.values.D_LENGTH then return 0 end
		local frame = math.floor (at * source.sound.rate + 0.5)
		if take.item.values.B_LOOPSRC ~= 0 then frame = frame % source.sound.frames end
		if reverse then frame = source.sound.frames - 1 - frame end
		return source.sound.at (frame, channel % source.sound.channels)
	end
	local function track_at (track, seconds, channel)
		local sum = 0
		for _, item in ipairs (track.items) do
			local take, at = item.takes[1], seconds - item.values.D_POSITION
			if take and take.source and not take.midi and item.values.B_MUTE == 0 and at >= 0 and at < item.values.D_LENGTH then
				sum = sum + take_at (take, at, channel) * item.values.D_VOL * take.values.D_VOL
			end
		end
		return sum
	end

	function f.CreateTakeAudioAccessor (take) return new ("AudioAccessor*", { take = secret[take] }).handle end
	function f.CreateTrackAudioAccessor (track) return new ("AudioAccessor*", { track = secret[track] }).handle end
	function f.DestroyAudioAccessor (accessor) secret[accessor].valid = false end
	function f.AudioAccessorStateChanged (accessor) return (secret[accessor].take or secret[accessor].track).changed or false end
	function f.new_array (size)
		local data = new ("array", { size = size, values = {} })
		local array = setmetatable ({
			clear = function () for index = 1, size do data.values[index] = 0 end end,
			table = function (offset, count)
				if offset < 1 or offset + count - 1 > size then error ("beyond the array's end", 2) end
				return table.move (data.values, offset, offset + count - 1, 1, {})
			end,
		}, shared.opaque)
		secret[array] = data
		return array
	end
	function f.GetAudioAccessorSamples (accessor, rate, channels, start, count, array)
		local from, into = secret[accessor], secret[array]
		if from.take and from.take.broken then return -1 end
		if count * channels > into.size then error ("the array is too small", 3) end
		local item = from.take and from.take.item
		local heard = not item
		for _, each in ipairs (from.track and from.track.items or {}) do
			heard = each.values.D_POSITION < start + count / rate and each.values.D_POSITION + each.values.D_LENGTH > start or heard
		end
		if from.track and #from.track.items == 0 then heard = false end
		if item then heard = start < item.values.D_LENGTH end
		for frame = 0, count - 1 do
			for channel = 0, channels - 1 do
				local at = start + frame / rate
				into.values[frame * channels + channel + 1] =
					from.take and take_at (from.take, at, channel) or from.track and track_at (from.track, at, channel)
			end
		end
		P.clock = P.clock + count * channels * SAMPLE_S
		return heard and 1 or 0
	end
	function f.GetAudioDeviceInfo (name)
		if options.no_device then return false, "" end
		return name == "SRATE", "44100"
	end
	function f.GetSetProjectInfo (of, key, value, set)
		local data = project (of)
		if key == "PROJECT_SRATE" then return data.rate end
		if key == "PROJECT_SRATE_USE" then return data.fixed_rate end
		if set then write (data.render, key, value) end
		return read (data.render, key)
	end
	function f.GetSetProjectInfo_String (of, key, value, set)
		local data = project (of)
		if set then write (data.render, key, value) end
		return true, read (data.render, key)
	end
	function shared.render ()
		local how = P.project.render
		P.rendered = {}
		for key, value in pairs (how) do P.rendered[key] = value end
		if options.render_fails then error ("the disk is full") end
		local track = selected (P.project.tracks)[1]
		local rate, frames = P.project.rate, math.floor ((how.RENDER_ENDPOS - how.RENDER_STARTPOS) * P.project.rate + 0.5)
		local values = {}
		for frame = 0, frames - 1 do
			for channel = 0, 1 do
				values[#values + 1] = track.values.D_VOL * track_at (track, how.RENDER_STARTPOS + frame / rate, channel)
			end
		end
		local file = assert (io.open (how.RENDER_FILE .. "/" .. how.RENDER_PATTERN .. ".wav", "wb"))
		file:write (wav.header (rate, 2, frames, 0), wav.samples (values, #values))
		file:close ()
	end

end
