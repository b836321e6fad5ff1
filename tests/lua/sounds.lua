-- Reads the WAV files of the tests, 16 bit or float, sample by sample: what REAPER's accessor would give.

local sounds = {}
local known = {}

local function chunks (data)
	local found, at = {}, 13
	while at + 8 <= #data do
		local name, size = data:sub (at, at + 3), string.unpack ("<I4", data, at + 4)
		if name == "data" and size == 0xFFFFFFFF then size = #data - at - 7 end
		found[name] = { at + 8, size }
		at = at + 8 + size + size % 2
	end
	return found
end

-- { rate =, channels =, frames =, at = function (frame, channel) }, both from 0; nil where it is no WAV file.
function sounds.open (path)
	local file = io.open (path, "rb")
	if not file then return nil end
	local data = file:read ("a")
	file:close ()
	if known[path] and known[path].data == data then return known[path] end
	if not (data:sub (1, 4) == "RIFF" or data:sub (1, 4) == "RF64") then return nil end
	local found = chunks (data)
	if not found["fmt "] or not found.data then return nil end
	local tag, channels, rate, _, width, bits = string.unpack ("<I2I2I4I4I2I2", data, found["fmt "][1])
	local form = tag == 3 and "<f" or "<i" .. bits // 8
	local sound = { data = data, rate = rate, channels = channels, frames = found.data[2] // width, start = found.data[1] }
	function sound.at (frame, channel)
		if frame < 0 or frame >= sound.frames then return 0 end
		local value = string.unpack (form, data, sound.start + frame * width + channel * bits // 8)
		return tag == 3 and value or value / 2 ^ (bits - 1)
	end
	known[path] = sound
	return sound
end

return sounds
