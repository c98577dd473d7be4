# The libraries we stand on, as imported or built targets: duckdb, nanoarrow (with IPC), lz4, zstd,
# libedit; for the tests cmocka and CRoaring.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

if(NOT EXISTS "${DUCKDB_ROOT}/duckdb.h" OR NOT EXISTS "${DUCKDB_ROOT}/libduckdb.so")
  message(FATAL_ERROR "no DuckDB in ${DUCKDB_ROOT}: run 'make deps', or set DUCKDB_ROOT to a "
                      "folder with duckdb.h and libduckdb.so")
endif()
add_library(duckdb SHARED IMPORTED GLOBAL)
set_target_properties(duckdb PROPERTIES IMPORTED_LOCATION "${DUCKDB_ROOT}/libduckdb.so"
                                        IMPORTED_NO_SONAME OFF)
target_include_directories(duckdb SYSTEM INTERFACE "${DUCKDB_ROOT}")

pkg_check_modules(LZ4 REQUIRED IMPORTED_TARGET liblz4)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)

set(nanoarrow_root "${APIARY_DEPS}/nanoarrow")
if(NOT EXISTS "${nanoarrow_root}/src/nanoarrow/nanoarrow.h")
  message(FATAL_ERROR "no nanoarrow in ${nanoarrow_root}: run 'make deps'")
endif()
set(NANOARROW_VERSION_MAJOR 0)
set(NANOARROW_VERSION_MINOR 8)
set(NANOARROW_VERSION_PATCH 0)
set(NANOARROW_VERSION "0.8.0")
set(NANOARROW_NAMESPACE_DEFINE "#define NANOARROW_NAMESPACE ApPrivate")
configure_file("${nanoarrow_root}/src/nanoarrow/nanoarrow_config.h.in"
               "${CMAKE_BINARY_DIR}/nanoarrow/nanoarrow/nanoarrow_config.h" @ONLY)
add_library(nanoarrow STATIC
  ${nanoarrow_root}/src/nanoarrow/common/array.c
  ${nanoarrow_root}/src/nanoarrow/common/array_stream.c
  ${nanoarrow_root}/src/nanoarrow/common/schema.c
  ${nanoarrow_root}/src/nanoarrow/common/utils.c
  ${nanoarrow_root}/src/nanoarrow/ipc/codecs.c
  ${nanoarrow_root}/src/nanoarrow/ipc/decoder.c
  ${nanoarrow_root}/src/nanoarrow/ipc/encoder.c
  ${nanoarrow_root}/src/nanoarrow/ipc/reader.c
  ${nanoarrow_root}/src/nanoarrow/ipc/writer.c
  ${nanoarrow_root}/flatcc/src/runtime/builder.c
  ${nanoarrow_root}/flatcc/src/runtime/emitter.c
  ${nanoarrow_root}/flatcc/src/runtime/verifier.c
  ${nanoarrow_root}/flatcc/src/runtime/refmap.c)
target_include_directories(nanoarrow SYSTEM PUBLIC
  "${CMAKE_BINARY_DIR}/nanoarrow" "${nanoarrow_root}/src"
  PRIVATE "${nanoarrow_root}/flatcc/include")
target_compile_definitions(nanoarrow PRIVATE NANOARROW_IPC_WITH_LZ4 NANOARROW_IPC_WITH_ZSTD)
target_link_libraries(nanoarrow PRIVATE PkgConfig::LZ4 PkgConfig::ZSTD)
target_compile_options(nanoarrow PRIVATE -w)


pkg_check_modules(EDIT REQUIRED IMPORTED_TARGET libedit)
if(APIARY_TESTS)
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
  # Deletion vectors are read by our own code; the library is what it is tested against.
  find_path(ROARING_INCLUDE roaring/roaring.h REQUIRED)
  find_library(ROARING_LIBRARY roaring REQUIRED)
  add_library(roaring INTERFACE)
  target_include_directories(roaring SYSTEM INTERFACE "${ROARING_INCLUDE}")
  target_link_libraries(roaring INTERFACE "${ROARING_LIBRARY}")
endif()
