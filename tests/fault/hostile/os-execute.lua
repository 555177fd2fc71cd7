-- expect: error: unknown name 'os'
os.execute("touch canary")
