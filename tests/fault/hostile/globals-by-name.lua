-- expect: error: unknown name '_G'
_G.string = nil
