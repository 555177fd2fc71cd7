# Turns every .lua file below a folder into one C file of {name, text} pairs:
# `struct rb_embedded { const char *name; const char *text; size_t size; }` rb_embedded[] (engine/runner/embedded.h).
function(rb_embed target folder)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.lua)
  set(output ${CMAKE_BINARY_DIR}/embedded_${target}.c)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -D OUTPUT=${output} -D ROOT=${CMAKE_SOURCE_DIR}/${folder} -P ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake
    DEPENDS ${files} ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake
    COMMENT "Embedding ${folder}/")
  target_sources(${target} PRIVATE ${output})
endfunction()
