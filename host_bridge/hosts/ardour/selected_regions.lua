-- What is to be separated: the selected regions, or the selected range on the selected tracks, each as files that hold it.

local selected_regions = {}

local function track_of (region)
	local id = region:to_stateful ():id ()
	for route in Session:get_tracks ():iter () do
		local track = route:to_track ()
		if not track:playlist ():region_by_id (id):isnil () then return track end
	end
end

-- Whether a file is a WAV that counts samples as the session does: Ardour resamples others while it plays them.
local function at_session_rate (path)
	local file = io.open (path, "rb")
	local head = file and file:read (4096) or ""
	if file then file:close () end
	local at = head:sub (9, 12) == "WAVE" and head:find ("fmt ", 13, true)
	return at and #head >= at + 15 and string.unpack ("<I4", head, at + 12) == Session:nominal_sample_rate ()
end

-- The files behind a region, one entry per channel, for a stretch of it; nil where they are not simply that.
local function sources (region, from, length)
	local sound = region:to_audioregion ()
	if sound:isnil () then return nil end
	local found = {}
	for channel = 0, sound:n_channels () - 1 do
		local file = region:source (channel):to_filesource ()
		if file:isnil () or not at_session_rate (file:path ()) then return nil end
		found[#found + 1] = { path = file:path (), channel = file:channel (), start = from, length = length }
	end
	return #found > 0 and found or nil
end

-- A stretch of a track as a new file in the session. heard: with its plugins and fader, else as its regions play.
local function bounced (track, from, to, heard)
	local last = heard and track:main_outs () or ARDOUR.Processor ()
	local region = track:bounce_range (from, to, ARDOUR.InterThreadInfo (), last, false, "zerostem")
	if region:isnil () then return nil end
	return sources (region, region:start ():samples (), region:length ():samples ())
end

local function of_region (region, track, from, to, heard)
	local first = region:position ():samples ()
	local entry = {
		track = track, region = region, start = from, name = region:name (),
		gain = 1, region_id = region:to_stateful ():id ():to_s (),
	}
	if not heard then
		entry.source = sources (region, region:start ():samples () + from - first, to - from)
		local sound = region:to_audioregion ()
		entry.gain = sound:isnil () and 1 or sound:scale_amplitude ()
	end
	if not entry.source then
		entry.gain, entry.source = 1, bounced (track, from, to, heard)
	end
	return entry
end

-- The one region that a track plays from one sample to another, if it is one.
local function only_region (track, from, to)
	local found
	for region in track:playlist ():regions_touched (Temporal.timepos_t (from), Temporal.timepos_t (to - 1)):iter () do
		if found then return nil end
		found = region
	end
	if not found or found:muted () then return nil end
	local first = found:position ():samples ()
	return first <= from and to <= first + found:length ():samples () and found or nil
end

local function of_range (from, to, heard)
	local chosen = {}
	for route in Editor:get_selection ().tracks:routelist ():iter () do
		local track = route:to_track ()
		if not track:isnil () and not track:to_audio_track ():isnil () then
			local region = only_region (track, from, to)
			if region then
				chosen[#chosen + 1] = of_region (region, track, from, to, heard)
			else
				chosen[#chosen + 1] = {
					track = track, start = from, gain = 1, name = track:name (), source = bounced (track, from, to, heard),
				}
			end
		end
	end
	return chosen
end

-- A list of { track, region, region_id, start, gain, name, source }; nil and a sentence where there is nothing to separate.
function selected_regions.selected (heard)
	local selection = Editor:get_selection ()
	local from, to = selection.time:start_sample (), selection.time:end_sample ()
	local chosen = {}
	if from < to then
		chosen = of_range (from, to, heard)
	else
		for region in selection.regions:regionlist ():iter () do
			if not region:to_audioregion ():isnil () then
				local first = region:position ():samples ()
				chosen[#chosen + 1] = of_region (region, track_of (region), first, first + region:length ():samples (), heard)
			end
		end
	end
	if #chosen == 0 then return nil, "No sound is selected. Select a region, or a range on a track." end
	for _, each in ipairs (chosen) do
		if not each.source then return nil, "“" .. each.name .. "” cannot be read. Consolidate it, then try again." end
	end
	return chosen
end

-- Whether anything is selected that `selected` could take.
function selected_regions.anything ()
	local selection = Editor:get_selection ()
	return selection.time:start_sample () < selection.time:end_sample () or not selection.regions:regionlist ():empty ()
end

return selected_regions
