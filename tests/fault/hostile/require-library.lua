-- expect: error: unknown name 'require'
require("rt").send({})
