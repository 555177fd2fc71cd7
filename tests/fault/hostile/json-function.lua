-- expect: error: a function cannot be data
json.encode({ f = pairs })
