-- expect: error: attempt to index a nil value
-- The name by which the library finds what is behind a proxy is no field of it.
lib.__target.inner = nil
