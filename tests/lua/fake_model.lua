-- What a project of the strict REAPER is made of: projects, tracks, items, takes and sources behind pointers that tell nothing.

local sounds = ...
local secret, serial = setmetatable ({}, { __mode = "k" }), 0

local OPAQUE = {
	__index = function (_, key) error ("REAPER's pointers have no field " .. tostring (key), 2) end,
	__newindex = function () error ("REAPER's pointers have no fields", 2) end,
}

local function guid ()
	serial = serial + 1
	return string.format ("{%08X-0000-4000-8000-000000000000}", serial)
end

local function new (kind, data)
	local handle = setmetatable ({}, OPAQUE)
	data.kind, data.handle, data.valid = kind, handle, true
	secret[handle] = data
	return data
end

local function item_of (track)
	return new ("MediaItem*", { track = track, takes = {}, guid = guid (), ext = {}, selected = false, values = {
		D_POSITION = 0, D_LENGTH = 0, D_VOL = 1, B_MUTE = 0, B_LOOPSRC = 1, D_FADEINLEN = 0.01, D_FADEOUTLEN = 0.01,
		D_FADEINLEN_AUTO = -1, D_FADEOUTLEN_AUTO = -1, D_FADEINDIR = 0, D_FADEOUTDIR = 0, C_FADEINSHAPE = 0, C_FADEOUTSHAPE = 0 } })
end

local function take_of (item)
	return new ("MediaItem_Take*", { item = item, name = "", fx = 0, envelopes = 0, markers = 0, values = {
		D_STARTOFFS = 0, D_PLAYRATE = 1, D_PITCH = 0, D_VOL = 1, D_PAN = 0, D_PANLAW = -1, I_CHANMODE = 0 } })
end

local function track_of ()
	return new ("MediaTrack*", { name = "", items = {}, guid = guid (), selected = false, values = {
		I_FOLDERDEPTH = 0, I_CUSTOMCOLOR = 0, D_VOL = 1, I_NCHAN = 2, B_MUTE = 0 } })
end

local function source_of (path)
	local sound = sounds.open (path)
	return sound and new ("PCM_source*", { path = path, type = "WAVE", sound = sound, peaks = 0 })
end

local function project_of (path, name)
	return new ("ReaProject*", { tracks = {}, ext = {}, loop = { 0, 0 }, path = path, name = name, undo = {}, dirty = false,
		rate = 48000, fixed_rate = 0,
		render = { RENDER_SETTINGS = 1, RENDER_BOUNDSFLAG = 1, RENDER_CHANNELS = 6, RENDER_SRATE = 44100, RENDER_TAILFLAG = 2,
			RENDER_ADDTOPROJ = 1, RENDER_DITHER = 3, RENDER_NORMALIZE = 1, RENDER_STARTPOS = 7, RENDER_ENDPOS = 8,
			RENDER_FILE = "/music/mixes", RENDER_PATTERN = "$project", RENDER_FORMAT = "l3pm", RENDER_FORMAT2 = "calf" } })
end

return { secret = secret, opaque = OPAQUE, new = new, track = track_of, item = item_of, take = take_of, source = source_of,
	fresh_project = project_of }
