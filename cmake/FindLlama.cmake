# llama.cpp (libllama, libmtmd, ggml) as the one target `saccade_llama`, found in this order:
#   1. an installed `llama` CMake package with libmtmd beside it (-DCMAKE_PREFIX_PATH=… names its place;
#      -DCMAKE_DISABLE_FIND_PACKAGE_llama=ON skips it);
#   2. -DSACCADE_LLAMA_SOURCE=dir, a llama.cpp source tree;
#   3. the source release that provide_llama.sh pins and fetches.
# 2 and 3 are built once by provide_llama.sh into a cache outside the build folder.
set(SACCADE_LLAMA_SOURCE "$ENV{SACCADE_LLAMA_SOURCE}" CACHE PATH "A llama.cpp source tree to build, used when no llama package is installed")
set(SACCADE_LLAMA_OPTIONS "" CACHE STRING "More CMake options for that build, e.g. -DGGML_CUDA=ON")
option(GGML_NATIVE "Build llama.cpp for this machine's CPU" ON)

# The command that builds llama.cpp into the cache; tests call it again, for the tools.
separate_arguments(SACCADE_LLAMA_BUILD_OPTIONS UNIX_COMMAND "-DGGML_NATIVE=${GGML_NATIVE} ${SACCADE_LLAMA_OPTIONS}")
set(SACCADE_PROVIDE_LLAMA
  ${CMAKE_COMMAND} -E env CC=${CMAKE_C_COMPILER} CXX=${CMAKE_CXX_COMPILER} SACCADE_LLAMA_SOURCE=${SACCADE_LLAMA_SOURCE}
  bash ${CMAKE_CURRENT_LIST_DIR}/provide_llama.sh)

# The headers must have what the engine calls; an older release would only fail at compile time.
function(saccade_llama_speaks_our_api result include_dir)
  set(${result} FALSE PARENT_SCOPE)
  if(EXISTS ${include_dir}/mtmd.h)
    file(STRINGS ${include_dir}/mtmd.h calls REGEX "mtmd_tokenize_from_parts|cb_eval")
    list(LENGTH calls found)
    if(found GREATER 1)
      set(${result} TRUE PARENT_SCOPE)
    endif()
  endif()
endfunction()

# saccade_use_llama(include dir, library …): makes the target.
function(saccade_use_llama include_dir)
  add_library(saccade_llama INTERFACE)
  target_include_directories(saccade_llama SYSTEM INTERFACE ${include_dir})
  target_link_libraries(saccade_llama INTERFACE ${ARGN})
endfunction()

find_package(llama CONFIG QUIET)
if(llama_FOUND)
  find_library(installed_mtmd mtmd HINTS ${LLAMA_LIB_DIR} NO_CACHE)
  find_path(installed_mtmd_headers mtmd.h HINTS ${LLAMA_INCLUDE_DIR} NO_CACHE)
  saccade_llama_speaks_our_api(installed_llama_fits ${installed_mtmd_headers})
  if(installed_mtmd AND installed_llama_fits)
    message(STATUS "llama.cpp: the installed package, ${llama_DIR}")
    if(SACCADE_LLAMA_SOURCE)
      message(STATUS "llama.cpp: SACCADE_LLAMA_SOURCE is not used; "
                     "-DCMAKE_DISABLE_FIND_PACKAGE_llama=ON makes it win over the installed package")
    endif()
    saccade_use_llama(${LLAMA_INCLUDE_DIR} llama ${installed_mtmd})
    target_include_directories(saccade_llama SYSTEM INTERFACE ${installed_mtmd_headers})
    set(SACCADE_LLAMA_PREFIX ${LLAMA_INCLUDE_DIR}/..)
  else()
    message(STATUS "llama.cpp: the package in ${llama_DIR} has no libmtmd or an older one than v0.5.0, not used")
  endif()
endif()

if(NOT TARGET saccade_llama)
  execute_process(
    COMMAND ${SACCADE_PROVIDE_LLAMA} libraries ${SACCADE_LLAMA_BUILD_OPTIONS}
    OUTPUT_VARIABLE SACCADE_LLAMA_PREFIX OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE provided)
  if(NOT provided EQUAL 0)
    message(FATAL_ERROR "llama.cpp could not be provided, see the lines above. An installed llama package "
                        "(-DCMAKE_PREFIX_PATH=…) or a source tree (-DSACCADE_LLAMA_SOURCE=…) serve as well.")
  endif()
  message(STATUS "llama.cpp: ${SACCADE_LLAMA_PREFIX}")
  set(llama_libraries "")
  foreach(library mtmd llama ggml ggml-base)
    find_library(built_${library} ${library} PATHS ${SACCADE_LLAMA_PREFIX}/lib NO_DEFAULT_PATH NO_CACHE REQUIRED)
    list(APPEND llama_libraries ${built_${library}})
  endforeach()
  saccade_use_llama(${SACCADE_LLAMA_PREFIX}/include ${llama_libraries})
endif()
