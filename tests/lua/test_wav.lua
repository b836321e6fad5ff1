-- Float32 WAV with a time stamp.

local t = ...
local wav = t.module ("wav")

-- The chunks of a file's beginning, by their names.
local function chunks (data)
	local found, at = {}, 13
	while at + 8 <= #data do
		local name, size = data:sub (at, at + 3), string.unpack ("<I4", data, at + 4)
		found[name] = data:sub (at + 8, at + 7 + size)
		at = at + 8 + size
	end
	return found
end

t.test ("the header tells rate, channels, length and where it begins", function ()
	local header = wav.header (48000, 2, 100, 9007199254740993)
	t.same (header:sub (1, 4), "RIFF")
	t.same (string.unpack ("<I4", header, 5), #header - 8 + 800)
	local found = chunks (header)
	local kind, channels, rate = string.unpack ("<I2I2I4", found["fmt "])
	t.same ({ kind, channels, rate }, { 3, 2, 48000 })
	t.same (string.unpack ("<I4", found.fact), 100)
	t.same (string.unpack ("<I8", found.bext, 339), 9007199254740993)
	t.same (string.unpack ("<I4", header, #header - 3), 800)
end)

t.test ("beyond 4 GiB it is RF64", function ()
	local header = wav.header (48000, 2, 600000000, 0)
	t.same (header:sub (1, 4), "RF64")
	t.same (select (2, string.unpack ("<I8I8", chunks (header).ds64)), 4800000000)
end)

t.test ("samples are packed as float32, any number of them", function ()
	for _, count in ipairs ({ 0, 1, 127, 128, 129, 1000 }) do
		local list = {}
		for index = 1, count do list[index] = index / 1024 end
		local bytes = wav.samples (list, count)
		t.same (#bytes, 4 * count)
		if count > 0 then t.same (string.unpack ("<f", bytes, #bytes - 3), count / 1024) end
	end
end)
