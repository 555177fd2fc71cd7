# A binding whose library is heavy is a module: its table, bindings/NAME/verbs.c, is linked into the host (arguments,
# documentation, the gate); the other files of its folder become modules/NAME.so, loaded at the first call of a verb.
# A module finds the host's own functions (rb_*, uv_*, json_*) in the executable that loads it.
function(rb_module name folders)
  list(TRANSFORM folders REPLACE "(.+)" "${CMAKE_SOURCE_DIR}/bindings/\\1/*.c")
  file(GLOB sources CONFIGURE_DEPENDS ${folders})
  list(FILTER sources EXCLUDE REGEX "/verbs\\.c$")
  add_library(module_${name} MODULE ${sources})
  set_target_properties(module_${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name} C_VISIBILITY_PRESET hidden
                        LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/modules)
  target_include_directories(module_${name} PRIVATE $<TARGET_PROPERTY:rb_base,INTERFACE_INCLUDE_DIRECTORIES>)
  target_link_libraries(module_${name} PRIVATE ${ARGN})
  target_compile_definitions(module_${name} PRIVATE RB_MODULE_ABI="${abi}")
  install(TARGETS module_${name} DESTINATION lib/runbook/modules)
endfunction()

# What loads modules must hold all of what they may call, not only what it calls itself.
function(rb_host_of_modules target)
  set_target_properties(${target} PROPERTIES ENABLE_EXPORTS ON)
  list(JOIN rb_archives_for_modules "," archives)
  string(PREPEND archives $<TARGET_FILE:rb_base>,$<TARGET_FILE:rb_bindings>,)
  target_link_options(${target} PRIVATE "LINKER:--whole-archive,${archives},--no-whole-archive") # before all others
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS $<TARGET_FILE:rb_base> $<TARGET_FILE:rb_bindings>)
  file(GLOB_RECURSE modules CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bindings/*/module.c)
  foreach(module ${modules})
    get_filename_component(folder ${module} DIRECTORY)
    get_filename_component(name ${folder} NAME)
    add_dependencies(${target} module_${name})
  endforeach()
endfunction()
