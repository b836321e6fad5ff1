-- Float32 WAV for host scripts, byte for byte as `bwf.py` writes it: `bext` before the sound, RF64 beyond 4 GiB.
-- A chunk whose value is a table, in plain Lua 5.3 and 5.4.

local wav = {}

local RIFF_LIMIT = 0xFFFFFFFF
local AT_ONCE = 128 -- values that go through one string.pack: Lua's stack does not hold more than some thousands
local PACKED = "<" .. ("f"):rep (AT_ONCE)

local function chunk (name, body)
	return name .. string.pack ("<I4", #body) .. body
end

-- Everything before the sound. start: where the first sample lies on the timeline, in samples at `rate`; frames: how many
-- samples each channel will have.
function wav.header (rate, channels, frames, start)
	local width = 4 * channels
	local layout = string.pack ("<I2I2I4I4I2I2I2", 3, channels, rate, rate * width, width, 32, 0)
	local bext = string.pack ("<c256c32c32c10c8I8I2c64c190", "", "ZeroStem", "", "", "", start, 1, "", "")
	local size = 12 + (8 + 28) + (8 + #bext) + (8 + #layout) + (8 + 4) + 8 - 8 + frames * width
	local large = size > RIFF_LIMIT
	local first = (large and "RF64" or "RIFF") .. string.pack ("<I4", large and RIFF_LIMIT or size) .. "WAVE"
	local sizes = large and chunk ("ds64", string.pack ("<I8I8I8I4", size, frames * width, frames, 0))
		or chunk ("JUNK", ("\0"):rep (28))
	local facts = chunk ("fmt ", layout) .. chunk ("fact", string.pack ("<I4", large and RIFF_LIMIT or frames))
	return first .. sizes .. chunk ("bext", bext) .. facts .. "data" .. string.pack ("<I4", large and RIFF_LIMIT or frames * width)
end

-- The first `count` numbers of a list (full scale +-1, channels interleaved) as the bytes of float32 samples.
function wav.samples (list, count)
	local parts, done = {}, 0
	while count - done >= AT_ONCE do
		parts[#parts + 1] = PACKED:pack (table.unpack (list, done + 1, done + AT_ONCE))
		done = done + AT_ONCE
	end
	if count > done then
		parts[#parts + 1] = string.pack ("<" .. ("f"):rep (count - done), table.unpack (list, done + 1, count))
	end
	return table.concat (parts)
end

return wav
