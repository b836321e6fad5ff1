-- JSON for the host scripts: reads and writes the files of a job's folder, in plain Lua 5.3 and 5.4.
-- A host's sandbox may know no modules, so this is a chunk whose value is the table: `local json = load(text)()`.
-- Objects become tables with string keys, lists tables from 1 on, null the value `json.null`, whole numbers integers.

local json = { null = setmetatable({}, { __tostring = function () return "null" end }) }

local DEEPEST = 64
local ESCAPES = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }
local WORDS = { ["true"] = true, ["false"] = false, ["null"] = json.null }
local read_value

local function fail (text, at, why)
	local _, line = text:sub (1, at):gsub ("\n", "")
	error (string.format ("line %d: %s", line + 1, why), 0)
end

local function skip (text, at)
	return text:find ("[^ \t\r\n]", at) or #text + 1
end

local function read_unicode (text, at)
	local digits = text:match ("^%x%x%x%x", at)
	if not digits then fail (text, at, "\\u wants four hex digits") end
	local code, after = tonumber (digits, 16), at + 4
	if code >= 0xD800 and code < 0xDC00 then
		local low = text:match ("^\\u([dD][c-fC-F]%x%x)", after)
		if not low then fail (text, at, "half of a surrogate pair") end
		code, after = 0x10000 + (code - 0xD800) * 0x400 + tonumber (low, 16) - 0xDC00, after + 6
	elseif code >= 0xDC80 and code <= 0xDCFF then
		return string.char (code - 0xDC00), after -- a path's byte that is no UTF-8, as Python writes it
	elseif code >= 0xDC00 and code < 0xE000 then
		fail (text, at, "half of a surrogate pair")
	end
	return utf8.char (code), after
end

local function read_string (text, at)
	local parts = {}
	at = at + 1
	while true do
		local stop = text:find ('["\\\0-\31]', at)
		if not stop then fail (text, #text, "a string does not end") end
		if not utf8.len (text:sub (at, stop - 1)) then fail (text, stop, "a string is not UTF-8") end
		parts[#parts + 1] = text:sub (at, stop - 1)
		local found = text:sub (stop, stop)
		if found == '"' then
			return table.concat (parts), stop + 1
		elseif found ~= "\\" then
			fail (text, stop, "a control character in a string")
		else
			local letter = text:sub (stop + 1, stop + 1)
			if letter == "u" then
				parts[#parts + 1], at = read_unicode (text, stop + 2)
			else
				if not ESCAPES[letter] then fail (text, stop, "an unknown escape") end
				parts[#parts + 1], at = ESCAPES[letter], stop + 2
			end
		end
	end
end

local function read_number (text, at)
	local whole = text:match ("^-?%d+", at)
	if not whole or whole:find ("^-?0%d") then fail (text, at, "no value") end
	local after = at + #whole
	local tail = (text:match ("^%.%d+", after) or "")
	tail = tail .. (text:match ("^[eE][+-]?%d+", after + #tail) or "")
	return tonumber (whole .. tail), after + #tail
end

-- Reads what stands between brackets; `item` reads one and returns where it ends.
local function read_items (text, at, close, item)
	at = skip (text, at + 1)
	if text:sub (at, at) == close then return at + 1 end
	while true do
		at = skip (text, item (at))
		local found = text:sub (at, at)
		if found == close then return at + 1 end
		if found ~= "," then fail (text, at, "a comma or " .. close .. " is missing") end
		at = skip (text, at + 1)
	end
end

local function read_object (text, at, depth)
	local object = {}
	return object, read_items (text, at, "}", function (here)
		if text:sub (here, here) ~= '"' then fail (text, here, "a key is missing") end
		local key, after = read_string (text, here)
		if object[key] ~= nil then fail (text, here, "the key " .. key .. " stands there twice") end
		after = skip (text, after)
		if text:sub (after, after) ~= ":" then fail (text, after, "a colon is missing") end
		object[key], after = read_value (text, after + 1, depth)
		return after
	end)
end

local function read_list (text, at, depth)
	local list = {}
	return list, read_items (text, at, "]", function (here)
		local value, after = read_value (text, here, depth)
		list[#list + 1] = value
		return after
	end)
end

read_value = function (text, at, depth)
	if depth == 0 then fail (text, at, "nested too deeply") end
	at = skip (text, at)
	local first = text:sub (at, at)
	if first == '"' then return read_string (text, at) end
	if first == "{" then return read_object (text, at, depth - 1) end
	if first == "[" then return read_list (text, at, depth - 1) end
	local word = text:match ("^%a+", at)
	if word then
		if WORDS[word] == nil then fail (text, at, "the unknown word " .. word) end
		return WORDS[word], at + #word
	end
	return read_number (text, at)
end

-- The value of a JSON text; nil and a sentence where it is none. It raises no error.
function json.decode (text)
	local good, value, after = pcall (read_value, text, 1, DEEPEST)
	if not good then return nil, tostring (value) end
	after = skip (text, after)
	if after <= #text then return nil, "something follows the value" end
	return value
end

local function escaped (text)
	return (text:gsub ('[\0-\31"\\]', function (letter)
		return ({ ['"'] = '\\"', ["\\"] = "\\\\" })[letter] or string.format ("\\u%04x", letter:byte ())
	end))
end

-- A byte that is no UTF-8, as file names may have, becomes the escape that Python writes and reads for it.
local function quoted (text)
	local parts, at = {}, 1
	while at <= #text do
		local good, bad = utf8.len (text, at)
		local stop = good and #text + 1 or bad
		parts[#parts + 1] = escaped (text:sub (at, stop - 1))
		if not good then parts[#parts + 1] = string.format ("\\udc%02x", text:byte (stop)) end
		at = stop + 1
	end
	return '"' .. table.concat (parts) .. '"'
end

local function written (value, depth)
	if depth == 0 then error ("nested too deeply", 0) end
	local kind = type (value)
	if value == json.null then return "null" end
	if kind == "string" then return quoted (value) end
	if kind == "boolean" then return tostring (value) end
	if kind == "number" then
		if value ~= value or value == math.huge or value == -math.huge then error ("no number", 0) end
		return math.tointeger (value) and string.format ("%d", math.tointeger (value)) or string.format ("%.17g", value)
	end
	if kind ~= "table" then error ("a " .. kind .. " has no JSON", 0) end
	local parts = {}
	if #value > 0 or next (value) == nil then
		for _, each in ipairs (value) do parts[#parts + 1] = written (each, depth - 1) end
		return "[" .. table.concat (parts, ", ") .. "]"
	end
	local keys = {}
	for key in pairs (value) do
		if type (key) ~= "string" then error ("a key that is no string", 0) end
		keys[#keys + 1] = key
	end
	table.sort (keys)
	for _, key in ipairs (keys) do parts[#parts + 1] = quoted (key) .. ": " .. written (value[key], depth - 1) end
	return "{" .. table.concat (parts, ", ") .. "}"
end

-- A value as JSON; nil and a sentence where it has none. An empty table is an empty list: leave empty objects out.
function json.encode (value)
	local good, text = pcall (written, value, DEEPEST)
	if not good then return nil, tostring (text) end
	return text
end

return json
