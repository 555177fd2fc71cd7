# Turns every .lua file below a folder into one C file, rb_embedded[] (engine/runner/embedded.h).
add_executable(rb_embed_tool cmake/embed.c)
target_link_libraries(rb_embed_tool PRIVATE rb_lib_lua)
set_target_properties(rb_embed_tool PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tools)

function(rb_embed target folder)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.lua)
  list(SORT files)
  set(output ${CMAKE_BINARY_DIR}/embedded_${target}.c)
  add_custom_command(
    OUTPUT ${output}
    COMMAND rb_embed_tool ${output} ${CMAKE_SOURCE_DIR}/${folder} ${files}
    DEPENDS ${files} rb_embed_tool
    COMMENT "Embedding ${folder}/")
  target_sources(${target} PRIVATE ${output})
endfunction()
