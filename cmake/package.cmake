# What is installed beside the binary, and the Debian package (script/package).
# The system's configuration: where the program looks for it, whatever the prefix. A prefix of somebody's own is not the
# system, and what an operator wrote is not overwritten.
install(CODE "
  if(CMAKE_INSTALL_PREFIX MATCHES \"^/usr(/local)?$\" AND NOT EXISTS \"\$ENV{DESTDIR}/etc/runbook/config.lua\")
    file(INSTALL \"${CMAKE_SOURCE_DIR}/packaging/config.lua\" DESTINATION /etc/runbook)
    file(MAKE_DIRECTORY \"\$ENV{DESTDIR}/etc/runbook/runbooks\")
  endif()
")

# Manual pages and completions are what the installed program itself says.
install(CODE "
  set(made \"${CMAKE_BINARY_DIR}/installed\")
  execute_process(COMMAND \"${CMAKE_SOURCE_DIR}/script/man\" \"$<TARGET_FILE:runbook>\" \"\${made}\" COMMAND_ERROR_IS_FATAL ANY)
  configure_file(\"${CMAKE_SOURCE_DIR}/packaging/runbook.service.in\" \"\${made}/runbook.service\" @ONLY)
  file(INSTALL \"\${made}/man\" DESTINATION \"\${CMAKE_INSTALL_PREFIX}/share\")
  file(INSTALL \"\${made}/runbook.service\" DESTINATION \"\${CMAKE_INSTALL_PREFIX}/lib/systemd/system\")
  file(INSTALL \"\${made}/bash/runbook\" DESTINATION \"\${CMAKE_INSTALL_PREFIX}/share/bash-completion/completions\")
  file(INSTALL \"\${made}/zsh/_runbook\" DESTINATION \"\${CMAKE_INSTALL_PREFIX}/share/zsh/vendor-completions\")
  file(INSTALL \"\${made}/fish/runbook.fish\" DESTINATION \"\${CMAKE_INSTALL_PREFIX}/share/fish/vendor_completions.d\")
")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME runbook)
set(CPACK_PACKAGE_CONTACT "the runbook maintainers <maintainers@runbook.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "operations manuals as programs")
set(CPACK_PACKAGE_DESCRIPTION "A runbook looks, says what is wrong, repairs what you agree to, looks again, and keeps the record.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "tzdata")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    "${CMAKE_SOURCE_DIR}/packaging/postinst;${CMAKE_SOURCE_DIR}/packaging/prerm;${CMAKE_SOURCE_DIR}/packaging/postrm;${CMAKE_SOURCE_DIR}/packaging/conffiles")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
