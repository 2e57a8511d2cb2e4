#!/bin/sh
# Says to Claude, as context, that a local model could do this reading. It never blocks: whatever
# goes wrong, it says nothing and exits 0. In sh, since it runs at every prompt and every Read.
#
# stdin: the hook's input, compact JSON. In it `"prompt":"` can only be a key: inside a value each
# quote has a backslash before it.
# SPADEWORK_HINTS: 0 or off says nothing; a number is the size in KiB from which a file is large (64).

# An exit code of 2, which a shell's own errors have too, would block the client.
trap 'exit 0' EXIT
exec 2>/dev/null
LC_ALL=C
limit=${SPADEWORK_HINTS:-64}
case $limit in
  0|[Oo]ff|OFF|[Nn]o|[Ff]alse) exit 0 ;;
  *[!0-9]*|??????????*) limit=64 ;;
esac

# The beginning is enough, and a pasted megabyte costs nothing.
input=$(head -c 16384)

say() {
  printf '{"hookSpecificOutput":{"hookEventName":"%s","additionalContext":"%s"}}\n' "$1" "$2"
}

hint_at_prompt() {
  prompt=${input#*'"prompt":"'}
  [ "$prompt" != "$input" ] || return
  case $prompt in
    *[Ss]ummar[iy]*|*[Cc]lassif*|*[Cc]ategori[sz]*|*[Tt]riage*|*[Bb]ulk*|\
    *[Gg]o\ through*|*[Ll]ook\ through*|*[Ss]kim*|\
    *[Rr]ead\ all*|*[Rr]ead\ every*|*[Rr]ead\ each*|\
    *[Aa]ll\ files*|*[Aa]ll\ the\ files*|*[Aa]ll\ of\ the\ files*|*[Ee]very\ file*|*[Ee]ach\ file*|\
    *[Ww]hole\ repo*|*[Ee]ntire\ repo*|*[Ww]hole\ codebase*|*[Ee]ntire\ codebase*|\
    *[Ww]hole\ folder*|*[Ee]ntire\ folder*|*[Ll]og\ files*|*[Aa]ll\ logs*|*[Aa]ll\ the\ logs*)
      say UserPromptSubmit "Spadework: bulk reading, summaries and classification can go to a local \
model: call ask_local_llama with the paths in files, so that the content stays out of your context. \
Read yourself what needs your own judgement." ;;
  esac
}

hint_at_read() {
  # A part of a file is not bulk.
  case $input in *'"limit":'*) return ;; esac
  path=${input#*'"file_path":"'}
  path=${path%%\"*}
  # With an escape in it, it would have to be decoded: rare, and a hint may be missed.
  case $path in *\\*) return ;; /*) ;; *) return ;; esac
  [ -f "$path" ] && [ -r "$path" ] || return
  case $path in
    # What a client shows as a picture or pages, and no text model reads.
    *.png|*.jpg|*.jpeg|*.gif|*.webp|*.pdf|*.ipynb) return ;;
  esac
  size=$(wc -c <"$path") || return
  size=$((size / 1024))
  [ "$size" -ge "$limit" ] || return
  say PreToolUse "Spadework: this file has $size KiB. If a summary or an answer about it will do, \
call ask_local_llama with its path in files: the content then stays out of your context."
}

case $input in
  *'"hook_event_name":"UserPromptSubmit"'*) hint_at_prompt ;;
  *'"hook_event_name":"PreToolUse"'*) hint_at_read ;;
esac
exit 0
