# Run hello twice on one folder: the first time it makes everything, the second it adds rows.
file(REMOVE_RECURSE "${FOLDER}")
set(expected_1 "wrote 3 rows as version 1\nann 13.0\nbob 4.0\n")
set(expected_2 "wrote 3 rows as version 2\nann 26.0\nbob 8.0\n")
foreach(round 1 2)
  execute_process(COMMAND "${PROGRAM}" "${FOLDER}" RESULT_VARIABLE status
                  OUTPUT_VARIABLE output ERROR_VARIABLE errors)
  if(NOT status EQUAL 0 OR NOT output STREQUAL expected_${round})
    message(FATAL_ERROR "round ${round}: status ${status}\n${output}\n${errors}")
  endif()
endforeach()
file(REMOVE_RECURSE "${FOLDER}")
