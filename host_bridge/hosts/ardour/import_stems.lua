-- Stems into the session: a new track each, right below the one they come from, at the very sample. One undo takes the
-- regions out again; the tracks stay, for Ardour's undo knows no tracks.

local import_stems = {}

local function whole_files ()
	local found = {}
	for id, region in pairs (ARDOUR.RegionFactory.regions ():table ()) do
		if region:whole_file () then found[id:to_s ()] = region end
	end
	return found
end

-- A file copied into the session, as the region that Ardour then lists.
local function imported (path)
	local before, files = whole_files (), C.StringVector ()
	files:push_back (path)
	Editor:do_import (files, Editing.ImportDistinctFiles, Editing.ImportAsRegion, ARDOUR.SrcQuality.SrcBest,
		ARDOUR.MidiTrackNameSource.SMFTrackName, ARDOUR.MidiTempoMapDisposition.SMFTempoIgnore,
		Temporal.timepos_t (0), ARDOUR.PluginInfo (), ARDOUR.Track (), false)
	for id, region in pairs (whole_files ()) do
		if not before[id] then return region end
	end
	error ("Ardour has not imported " .. path, 0)
end

local function lay (region, track, start, gain)
	local playlist, copy = track:to_track ():playlist (), ARDOUR.RegionFactory.clone_region (region, true, false)
	copy:to_audioregion ():set_scale_amplitude (gain)
	playlist:to_stateful ():clear_changes ()
	playlist:add_region (copy, Temporal.timepos_t (start), 1, false, 0, 0, false)
	Session:add_stateful_diff_command (playlist:to_statefuldestructible ())
end

local function new_track (name, channels, source, order)
	local outs = source:isnil () and math.max (2, channels) or source:n_outputs ():n_audio ()
	local made
	for track in Session:new_audio_track (channels, outs, nil, 1, name, order, ARDOUR.TrackMode.Normal, true):iter () do
		made = track
	end
	if not made then error ("Ardour has not made a track for " .. name, 0) end
	if not source:isnil () then made:presentation_info_ptr ():set_color (source:presentation_info_ptr ():color ()) end
	return made
end

local function mute (entry, source)
	if not entry.mute or not entry.region or source:isnil () then return end
	local region = ARDOUR.RegionFactory.region_by_id (PBD.ID (entry.region))
	if region:isnil () then return end
	region:to_stateful ():clear_changes ()
	region:set_muted (true)
	Session:add_stateful_diff_command (region:to_statefuldestructible ())
end

-- Bring one job's stems in, as `job.stems` lists them. entry: the ledger's. Returns the ids of the tracks that were made.
function import_stems.bring (entry, stems)
	local made = {}
	local source = Session:route_by_id (PBD.ID (entry.track))
	local order = ARDOUR.PresentationInfo.max_order
	if not source:isnil () then order = source:presentation_info_ptr ():order () + 1 end
	local regions, tracks = {}, {}
	for number, stem in ipairs (stems) do
		regions[number] = imported (stem.path)
		tracks[number] = new_track (stem.name, entry.channels, source, source:isnil () and order or order + number - 1)
		made[number] = tracks[number]:to_stateful ():id ():to_s ()
	end
	Session:begin_reversible_command ("ZeroStem: stems")
	for number, region in ipairs (regions) do lay (region, tracks[number], entry.start, entry.gain) end
	mute (entry, source)
	if not Session:abort_empty_reversible_command () then Session:commit_reversible_command (nil) end
	return made
end

-- Whether a track that was made for a stem is still there and holds nothing.
function import_stems.is_empty (id)
	local route = Session:route_by_id (PBD.ID (id))
	return not route:isnil () and route:to_track ():playlist ():n_regions () == 0 and route or nil
end

return import_stems
