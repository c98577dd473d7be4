# ap_module(NAME [DEPENDS module ...] [LIBRARIES target ...])
#
# One folder, one target ap_NAME of its *.c files; *_test.c beside them become one cmocka program
# each (test NAME/FILE). A module exposes its own headers only, as "NAME/file.h"; tools/check.py
# holds the direction of includes.
set(AP_WARNINGS -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
                -Wvla -Wundef -Werror)

if(APIARY_SANITIZE)
  add_compile_options(-fsanitize=${APIARY_SANITIZE} -fno-sanitize-recover=all
                      -fno-omit-frame-pointer -g)
  add_link_options(-fsanitize=${APIARY_SANITIZE})
endif()

function(ap_target_setup target)
  target_compile_options(${target} PRIVATE ${AP_WARNINGS})
  target_compile_definitions(${target} PRIVATE AP_BUILDING _POSIX_C_SOURCE=200809L _DEFAULT_SOURCE)
  target_include_directories(${target} PUBLIC "${PROJECT_SOURCE_DIR}/include"
                                              "${PROJECT_SOURCE_DIR}/src")
endfunction()

function(ap_module name)
  cmake_parse_arguments(ARG "TEST_ONLY" "" "DEPENDS;LIBRARIES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.c")
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.c$")
  list(FILTER tests INCLUDE REGEX "_test\\.c$")
  list(TRANSFORM ARG_DEPENDS PREPEND "ap_")
  if(sources)
    add_library(ap_${name} OBJECT ${sources})
    ap_target_setup(ap_${name})
    target_link_libraries(ap_${name} PUBLIC ${ARG_DEPENDS} ${ARG_LIBRARIES} Threads::Threads m)
    if(NOT ARG_TEST_ONLY)
      set_property(GLOBAL APPEND PROPERTY AP_PRODUCT_MODULES ap_${name})
    endif()
  endif()
  if(APIARY_TESTS)
    foreach(file ${tests})
      get_filename_component(stem "${file}" NAME_WE)
      set_property(GLOBAL APPEND PROPERTY AP_TEST_FILES "${name}|${stem}|${file}")
    endforeach()
  endif()
endfunction()

# Called once after all modules: every test program links the whole (static) product and testing/.
function(ap_add_tests)
  get_property(files GLOBAL PROPERTY AP_TEST_FILES)
  foreach(entry ${files})
    string(REPLACE "|" ";" parts "${entry}")
    list(GET parts 0 module)
    list(GET parts 1 stem)
    list(GET parts 2 file)
    set(target "test_${module}_${stem}")
    add_executable(${target} "${file}")
    ap_target_setup(${target})
    target_compile_definitions(${target} PRIVATE "AP_SOURCE_DIR=\"${PROJECT_SOURCE_DIR}\"")
    target_link_libraries(${target} PRIVATE apiary_static ap_testing_lib PkgConfig::CMOCKA
                          roaring)
    add_test(NAME "${module}/${stem}" COMMAND ${target})
    set_tests_properties("${module}/${stem}" PROPERTIES TIMEOUT 300)
  endforeach()
endfunction()
