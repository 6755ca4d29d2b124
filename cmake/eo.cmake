# Helpers of this build. eo_module(NAME SOURCES… DEPS… [LIBS…] [TESTS…]) makes library eo_NAME;
# DEPS are our modules (eo_ is prepended) and must follow the layer table of STYLE.md.
find_package(Threads REQUIRED)

add_library(eo_common_flags INTERFACE)
target_compile_options(eo_common_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror
  -fno-omit-frame-pointer -ffunction-sections -fdata-sections)
target_compile_options(eo_common_flags INTERFACE $<$<CONFIG:Release>:-O2 -g1>)
target_link_options(eo_common_flags INTERFACE -Wl,--gc-sections)
# A release program needs the C library and nothing else (docs/adr/0007).
if(NOT EO_SANITIZE)
  target_link_options(eo_common_flags INTERFACE $<$<CONFIG:Release>:-static-libstdc++>
    $<$<CONFIG:Release>:-static-libgcc>)
endif()
target_compile_definitions(eo_common_flags INTERFACE EO_VERSION="${PROJECT_VERSION}")
if(EO_MUTANTS)
  target_compile_definitions(eo_common_flags INTERFACE EO_MUTANTS)
endif()
if(EO_SANITIZE)
  target_compile_options(eo_common_flags INTERFACE -fsanitize=${EO_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(eo_common_flags INTERFACE -fsanitize=${EO_SANITIZE})
endif()
target_include_directories(eo_common_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_link_libraries(eo_common_flags INTERFACE Threads::Threads)

# Of everything but the tests themselves.
add_library(eo_flags INTERFACE)
target_link_libraries(eo_flags INTERFACE eo_common_flags)
target_compile_options(eo_flags INTERFACE $<$<CONFIG:Debug>:-O1 -g1>)

# One precompiled header, shared by every module. ccache needs the timestamp to stay out of it.
if(EO_PCH)
  add_library(eo_pch OBJECT ${CMAKE_SOURCE_DIR}/cmake/pch.cc)
  target_link_libraries(eo_pch PUBLIC eo_flags)
  target_compile_options(eo_pch PRIVATE $<$<CXX_COMPILER_ID:Clang>:SHELL:-Xclang -fno-pch-timestamp>)
  target_precompile_headers(eo_pch PRIVATE <algorithm> <chrono> <cstdint> <expected> <functional>
    <map> <memory> <optional> <set> <string> <string_view> <utility> <variant> <vector>
    <fmt/format.h>)
endif()

# A test is compiled more often than it runs: without optimisation, and with GoogleTest precompiled,
# that costs a third. What it calls is optimised as ever.
if(EO_TESTS)
  find_package(GTest REQUIRED)
  add_library(eo_test_flags INTERFACE)
  target_link_libraries(eo_test_flags INTERFACE eo_common_flags GTest::gtest)
  target_compile_options(eo_test_flags INTERFACE $<$<CONFIG:Debug>:-O0 -g1>)
  if(EO_PCH)
    add_library(eo_test_pch OBJECT ${CMAKE_SOURCE_DIR}/cmake/pch.cc)
    target_link_libraries(eo_test_pch PUBLIC eo_test_flags)
    target_compile_options(eo_test_pch PRIVATE $<$<CXX_COMPILER_ID:Clang>:SHELL:-Xclang -fno-pch-timestamp>)
    target_precompile_headers(eo_test_pch PRIVATE <algorithm> <chrono> <cstdint> <expected>
      <functional> <map> <memory> <optional> <set> <string> <string_view> <utility> <variant>
      <vector> <fmt/format.h> <gtest/gtest.h>)
  endif()
endif()

function(eo_target_defaults target)
  eo_target_flags(${target} eo_flags eo_pch)
endfunction()

function(eo_target_flags target flags pch)
  target_link_libraries(${target} PRIVATE ${flags})
  if(EO_PCH)
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:Clang>:SHELL:-Xclang -fno-pch-timestamp>)
    target_precompile_headers(${target} REUSE_FROM ${pch})
  endif()
endfunction()

function(eo_module name)
  cmake_parse_arguments(A "" "" "SOURCES;DEPS;LIBS;TESTS;TEST_DEPS" ${ARGN})
  add_library(eo_${name} STATIC ${A_SOURCES})
  eo_target_defaults(eo_${name})
  target_include_directories(eo_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  foreach(dep ${A_DEPS})
    target_link_libraries(eo_${name} PUBLIC eo_${dep})
  endforeach()
  target_link_libraries(eo_${name} PRIVATE ${A_LIBS})
  if(A_TESTS AND EO_TESTS)
    eo_test(${name}_test SOURCES ${A_TESTS} DEPS ${name} ${A_TEST_DEPS} LABEL unit)
  endif()
endfunction()

# eo_test(NAME SOURCES… DEPS… LABEL unit|scenario|property|engine|integration|e2e): one GoogleTest
# program, one ctest entry of the same name. Each writes its cases to build/<preset>/gtest/NAME.json,
# which tools/ledger counts. LABEL may be a list; `engine` tests run under ThreadSanitizer as well.
# RUNNER is a program that is given the test's command.
function(eo_test name)
  cmake_parse_arguments(A "" "RUNNER" "SOURCES;DEPS;LIBS;ARGS;LABEL" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  if("property" IN_LIST A_LABEL)
    eo_target_defaults(${name})  # its worlds are made by the test itself, for minutes
  else()
    eo_target_flags(${name} eo_test_flags eo_test_pch)
  endif()
  foreach(dep ${A_DEPS})
    target_link_libraries(${name} PRIVATE eo_${dep})
  endforeach()
  target_link_libraries(${name} PRIVATE ${A_LIBS} GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${A_RUNNER} $<TARGET_FILE:${name}> ${A_ARGS} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS "${A_LABEL}" TIMEOUT 900
    ENVIRONMENT "GTEST_OUTPUT=json:${CMAKE_BINARY_DIR}/gtest/${name}.json")
endfunction()

# A program that looks for mutants takes the name of one from its environment, in their build only.
# The target `mutants` builds all of them.
function(eo_looks_for_mutants target)
  if(EO_MUTANTS)
    target_sources(${target} PRIVATE ${CMAKE_SOURCE_DIR}/tests/support/mutant_choice.cc)
    if(NOT TARGET mutants)
      add_custom_target(mutants)
    endif()
    add_dependencies(mutants ${target})
  endif()
endfunction()
