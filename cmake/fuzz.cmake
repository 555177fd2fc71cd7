# Every tests/fuzz/fuzz_*.c is one libFuzzer program; tests/fuzz/corpus/fuzz_NAME/ is where it starts.
# Needs clang and -fsanitize=fuzzer-no-link on everything (the "fuzz" preset).
file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/fuzz/fuzz_*.c)
foreach(source ${sources})
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  foreach(library catalog runner when process journal base)
    if(TARGET rb_${library})
      target_link_libraries(${name} PRIVATE rb_${library})
    endif()
  endforeach()
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
endforeach()
