# hypha_embed(TARGET FILE SYMBOL): the file's bytes as `const unsigned char SYMBOL[]` and
# `const size_t SYMBOL_len` in the target, made again when the file changes.
# Also the script that does it: cmake -DINPUT=... -DOUTPUT=... -DSYMBOL=... -P embed.cmake
if(CMAKE_SCRIPT_MODE_FILE)
  file(READ ${INPUT} bytes HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  get_filename_component(name ${INPUT} NAME)
  file(WRITE ${OUTPUT} "/* Made of ${name}. */\n#include <stddef.h>\n\n"
    "extern const unsigned char ${SYMBOL}[];\nextern const size_t ${SYMBOL}_len;\n\n"
    "const unsigned char ${SYMBOL}[] = {\n${bytes}\n};\n"
    "const size_t ${SYMBOL}_len = sizeof ${SYMBOL};\n")
  return()
endif()

set(HYPHA_EMBED ${CMAKE_CURRENT_LIST_FILE})

function(hypha_embed target file symbol)
  get_filename_component(input ${file} ABSOLUTE)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.c)
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DINPUT=${input} -DOUTPUT=${output} -DSYMBOL=${symbol}
      -P ${HYPHA_EMBED}
    DEPENDS ${input} ${HYPHA_EMBED} VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()
