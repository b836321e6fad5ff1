-- The JSON of a job's folder, read and written in Lua.

local t = ...
local json = t.module ("json")

t.test ("whatever is written is read back", function ()
	local value = { name = 'Ü "♪" \\ / \1 😀', start = 9007199254740993, half = 0.5, none = json.null,
		list = { 1, "two", { deep = true } } }
	t.same (json.decode (assert (json.encode (value))), value)
end)

t.test ("whole numbers stay whole, however long", function ()
	t.same (math.type (json.decode ("9007199254740993")), "integer")
	t.same (json.encode (9007199254740993), "9007199254740993")
end)

t.test ("what is no JSON is nil and a sentence, and no error", function ()
	local wrong = { "", "{", '{"a":1,}', "[01]", "nul", '"\\x"', '"\\ud800"', '{"a":1,"a":2}', "[1] 2", "1.", "--1",
		("["):rep (5000) }
	for _, text in ipairs (wrong) do
		local value, why = json.decode (text)
		t.same (value, nil)
		t.same (type (why), "string")
	end
end)
