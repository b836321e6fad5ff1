-- A region's sound, by the shortest way that gives just what is there:
--   1. a plain take: the name of its file, and which samples of it; nothing is copied
--   2. another take, or a track: read through REAPER's accessor, a little at a time, into region.wav
--   3. as heard: rendered by REAPER itself, with all effects

local sound = {}

local STEP_S = 0.012 -- of the 30 ms between two pictures
local FRAMES = 8192 -- at once out of the accessor
local PLAIN_TYPES = { WAVE = true, AIFF = true, FLAC = true } -- formats whose samples everybody counts alike
local WAV_FLOAT = "ZXZhdyAAAQ==" -- REAPER's own name for: WAV, 32 bit floating point
local RENDER = 42230 -- render with the settings as they are, and close the dialog when it is done
local GRID = 1e-4 -- samples; closer than that a position is on a sample

-- How a region is rendered; everything is put back afterwards.
local NUMBERS = {
	RENDER_SETTINGS = 2, -- the selected tracks, each for itself
	RENDER_BOUNDSFLAG = 0, -- between RENDER_STARTPOS and RENDER_ENDPOS
	RENDER_CHANNELS = 2,
	RENDER_SRATE = 0, -- the project's
	RENDER_TAILFLAG = 0,
	RENDER_ADDTOPROJ = 0,
	RENDER_DITHER = 0,
	RENDER_NORMALIZE = 0, -- no fades either
	RENDER_STARTPOS = 0,
	RENDER_ENDPOS = 0,
}
local TEXTS = { RENDER_FILE = "", RENDER_PATTERN = "region", RENDER_FORMAT = WAV_FLOAT, RENDER_FORMAT2 = "" }

local function value (take, key)
	return reaper.GetMediaItemTakeInfo_Value (take, key)
end

-- Whether the take plays its file as it lies there, apart from volume, pan and fades, which its stems get too.
local function is_plain (region)
	local take = region.take
	local source = reaper.GetMediaItemTake_Source (take)
	if value (take, "D_PLAYRATE") ~= 1 or value (take, "D_PITCH") ~= 0 or value (take, "I_CHANMODE") ~= 0 then return false end
	if reaper.GetTakeNumStretchMarkers (take) > 0 or reaper.GetMediaSourceParent (source) then return false end
	return PLAIN_TYPES[reaper.GetMediaSourceType (source)] or false
end

-- The samples of a plain take's file as a request's `source`, and where between two samples the region begins, in
-- seconds; nil where the region begins before the file, or is longer than what the file has from there on and looped.
local function in_file (region)
	local take = region.take
	local source = reaper.GetMediaItemTake_Source (take)
	local rate, channels = reaper.GetMediaSourceSampleRate (source), reaper.GetMediaSourceNumChannels (source)
	local seconds, in_beats = reaper.GetMediaSourceLength (source)
	if in_beats or rate <= 0 or channels <= 0 then return nil end
	local frames = math.floor (seconds * rate + 0.5)
	local position = reaper.GetMediaItemInfo_Value (region.item, "D_POSITION")
	local first = (value (take, "D_STARTOFFS") + region.start - position) * rate
	local start = math.floor (first + GRID)
	local stop = math.ceil (first + (region.stop - region.start) * rate - GRID)
	if start < 0 or start >= frames then return nil end
	if stop > frames then
		if reaper.GetMediaItemInfo_Value (region.item, "B_LOOPSRC") ~= 0 then return nil end
		stop = frames
		region.stop = region.start + (stop - first) / rate
	end
	local parts, path = {}, reaper.GetMediaSourceFileName (source)
	for channel = 0, channels - 1 do
		parts[#parts + 1] = { path = path, channel = channel, start = start, length = stop - start }
	end
	return parts, math.max (0, first - start) / rate, rate
end

-- What an accessor cannot hear, though it is part of the item: stems without it would not add up to what was there.
local function unheard (region)
	local take = region.take
	if reaper.TakeFX_GetCount (take) == 0 and reaper.CountTakeEnvelopes (take) == 0 then return nil end
	return "An item on “" .. region.name .. "” has effects or envelopes of its own. Choose “As heard”, or glue it first."
end

local function project_rate ()
	if reaper.GetSetProjectInfo (0, "PROJECT_SRATE_USE", 0, false) ~= 0 then
		return math.floor (reaper.GetSetProjectInfo (0, "PROJECT_SRATE", 0, false))
	end
	local known, rate = reaper.GetAudioDeviceInfo ("SRATE")
	return known and tonumber (rate) and math.floor (tonumber (rate)) or 48000
end

local function channels_of (region)
	local mode = value (region.take, "I_CHANMODE")
	if mode >= 2 and mode <= 66 then return 1 end -- mono: downmix, left, right, or one channel
	if mode > 66 then return 2 end
	return reaper.GetMediaSourceNumChannels (reaper.GetMediaItemTake_Source (region.take))
end

-- Opens the accessor and the file: returns a function for each step, which says how far it is (0..1), nil and a sentence
-- where it cannot go on; and one that lets go of both, whatever happened.
local function reader (wav, region, path)
	local of_take = region.take and true or false
	local kind, thing = of_take and "MediaItem_Take*" or "MediaTrack*", region.take or region.track
	local rate, channels, begin = project_rate (), 2, region.start
	if of_take then
		local source = reaper.GetMediaItemTake_Source (region.take)
		rate, channels = reaper.GetMediaSourceSampleRate (source), channels_of (region)
		begin = region.start - reaper.GetMediaItemInfo_Value (region.item, "D_POSITION")
	end
	local frames = math.ceil ((region.stop - region.start) * rate - GRID)
	local accessor = of_take and reaper.CreateTakeAudioAccessor (thing) or reaper.CreateTrackAudioAccessor (thing)
	local file, why = io.open (path, "wb")
	local buffer, done, heard = reaper.new_array (FRAMES * channels), 0, false

	local function close ()
		local good, trouble = true, nil
		if accessor then reaper.DestroyAudioAccessor (accessor) end
		if file then good, trouble = file:close () end
		accessor, file = nil, nil
		if good then return true end
		return nil, "The sound cannot be written: " .. tostring (trouble) .. ". Make room on the disk."
	end

	local function step ()
		if not file then return nil, "The sound cannot be written: " .. tostring (why) .. ". Check the disk's space." end
		if not accessor then return nil, "REAPER gives no sound of “" .. region.name .. "”. Try again." end
		if not reaper.ValidatePtr2 (region.project, thing, kind) or reaper.AudioAccessorStateChanged (accessor) then
			return nil, "“" .. region.name .. "” was changed while its sound was read. Separate it again."
		end
		local until_s = reaper.time_precise () + STEP_S
		repeat
			local count = math.min (FRAMES, frames - done)
			buffer.clear ()
			local got = reaper.GetAudioAccessorSamples (accessor, rate, channels, begin + done / rate, count, buffer)
			if got < 0 then return nil, "REAPER cannot read the sound of “" .. region.name .. "”. Glue the item, and try again." end
			heard = heard or got > 0
			local good, trouble = file:write (wav.samples (buffer.table (1, count * channels), count * channels))
			if not good then return nil, "The sound cannot be written: " .. trouble .. ". Make room on the disk." end
			done = done + count
		until done == frames or reaper.time_precise () >= until_s
		if done == frames and not heard then
			return nil, "There is no sound in this part of “" .. region.name .. "”. Select one with sound."
		end
		return done / frames
	end

	if file then file:write (wav.header (rate, channels, frames, math.floor (region.start * rate + 0.5))) end
	return step, close, rate
end

-- Has REAPER render the region into `folder`/region.wav; everything is as before afterwards, even where it fails.
local function rendered (region, folder)
	local project, before, words, selected = region.project, {}, {}, {}
	if not reaper.ValidatePtr2 (project, region.track, "MediaTrack*") then
		return nil, "The track “" .. region.name .. "” is gone. Select another one."
	end
	if reaper.EnumProjects (-1) ~= project then
		return nil, "The project of “" .. region.name .. "” is no longer in front. Go back to it, and separate again."
	end
	for key in pairs (NUMBERS) do before[key] = reaper.GetSetProjectInfo (project, key, 0, false) end
	for key in pairs (TEXTS) do
		local _, text = reaper.GetSetProjectInfo_String (project, key, "", false)
		words[key] = text
	end
	for index = 0, reaper.CountSelectedTracks (project) - 1 do selected[index + 1] = reaper.GetSelectedTrack (project, index) end
	local good, why = pcall (function ()
		for key, number in pairs (NUMBERS) do reaper.GetSetProjectInfo (project, key, number, true) end
		for key, text in pairs (TEXTS) do reaper.GetSetProjectInfo_String (project, key, text, true) end
		reaper.GetSetProjectInfo (project, "RENDER_STARTPOS", region.start, true)
		reaper.GetSetProjectInfo (project, "RENDER_ENDPOS", region.stop, true)
		reaper.GetSetProjectInfo_String (project, "RENDER_FILE", folder, true)
		reaper.SetOnlyTrackSelected (region.track)
		reaper.Main_OnCommand (RENDER, 0)
	end)
	for key, number in pairs (before) do reaper.GetSetProjectInfo (project, key, number, true) end
	for key, text in pairs (words) do reaper.GetSetProjectInfo_String (project, key, text, true) end
	reaper.SetTrackSelected (region.track, false)
	for _, track in ipairs (selected) do reaper.SetTrackSelected (track, true) end
	if good and reaper.file_exists (folder .. "/region.wav") then return true end
	local reason = good and "" or " (" .. tostring (why) .. ")"
	return nil, "REAPER has not rendered “" .. region.name .. "”" .. reason .. ". Try again."
end

-- How the region's sound gets into the job whose folder lies aside. Returns a table, or nil and a sentence:
--   source    for the request, where the sound is named and not copied
--   region    for the request: { start, rate }
--   offset    where in the stems the region begins, in seconds (less than a sample)
--   step      to be called until it returns 1; where there is nothing to do it is nil
--   close     to be called once, after the last step; nil and a sentence where the sound is not whole
function sound.of (wav, region, folder, heard)
	local length = region.stop - region.start
	if heard then
		local function step () -- a step of its own, so that the window shows what is going on
			local good, why = rendered (region, folder)
			return good and 1 or nil, why
		end
		return { step = step, close = function () return true end, offset = 0 }
	end
	if region.take then
		local why = unheard (region)
		if why then return nil, why end
		if is_plain (region) then
			local source, offset, rate = in_file (region)
			if source then
				return { source = source, offset = offset, region = { start = math.floor (region.start * rate + 0.5), rate = rate } }
			end
		end
	end
	if length <= 0 then return nil, "There is no sound in this part of “" .. region.name .. "”. Select one with sound." end
	local step, close, rate = reader (wav, region, folder .. "/region.wav")
	return { step = step, close = close, offset = 0, region = { start = math.floor (region.start * rate + 0.5), rate = rate } }
end

return sound
