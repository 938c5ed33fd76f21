# What `make install` puts where: headers, both libraries, hypha.pc, the programs, the man pages,
# the services.

install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/hypha DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.h")
install(TARGETS hypha_shared hypha_static
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})

# The prefix is found from where the file lies, so the installed tree may be moved.
file(RELATIVE_PATH HYPHA_PC_PREFIX
  ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" HYPHA_PC_PREFIX "${HYPHA_PC_PREFIX}")
configure_file(${CMAKE_SOURCE_DIR}/packaging/hypha.pc.in ${CMAKE_BINARY_DIR}/hypha.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/hypha.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# Every program that programs/ builds by default.
if(EXISTS ${CMAKE_SOURCE_DIR}/programs/CMakeLists.txt)
  get_property(targets DIRECTORY ${CMAKE_SOURCE_DIR}/programs PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target ${targets})
    get_target_property(type ${target} TYPE)
    get_target_property(excluded ${target} EXCLUDE_FROM_ALL)
    if(type STREQUAL EXECUTABLE AND NOT excluded AND NOT target MATCHES "_test$")
      install(TARGETS ${target} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
    endif()
  endforeach()
endif()

# docs/man/NAME.SECTION is installed as it is, docs/man/NAME.SECTION.scd is made into one first.
file(GLOB pages CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/man/*.[1-8])
file(GLOB scd_pages CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/man/*.[1-8].scd)
if(scd_pages)
  find_program(SCDOC scdoc)
  if(SCDOC)
    file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/man)
    foreach(source ${scd_pages})
      get_filename_component(name ${source} NAME_WLE)
      set(page ${CMAKE_BINARY_DIR}/man/${name})
      add_custom_command(OUTPUT ${page} COMMAND ${SCDOC} < ${source} > ${page} DEPENDS ${source}
        VERBATIM)
      list(APPEND made ${page})
    endforeach()
    add_custom_target(man ALL DEPENDS ${made})
    list(APPEND pages ${made})
  else()
    message(STATUS "scdoc not found: no man pages")
  endif()
endif()
foreach(page ${pages})
  string(REGEX MATCH "[1-8]$" section ${page})
  install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()

# packaging/systemd/NAME.service.in names the installed program.
file(GLOB services CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/packaging/systemd/*.service.in)
foreach(source ${services})
  get_filename_component(name ${source} NAME_WLE)
  configure_file(${source} ${CMAKE_BINARY_DIR}/systemd/${name} @ONLY)
  install(FILES ${CMAKE_BINARY_DIR}/systemd/${name} DESTINATION lib/systemd/system)
endforeach()

# A program outside this tree is built against the installed library and run.
if(HYPHA_TESTS AND NOT HYPHA_SANITIZE AND NOT HYPHA_TSAN AND NOT HYPHA_COVERAGE)
  add_test(NAME install_test COMMAND ${CMAKE_SOURCE_DIR}/scripts/test_install ${CMAKE_BINARY_DIR})
  set_tests_properties(install_test PROPERTIES TIMEOUT 120 LABELS e2e)
endif()
