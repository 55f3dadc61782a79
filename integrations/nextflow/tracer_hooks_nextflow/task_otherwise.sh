# What task.sh has no need of for most tasks: how one is started whose nxf_launch is more than one plain
# command, and how any is where there is no supervisor.

# A shell starts the task that enters the wrapper again, after it has emptied the marker, by which we
# know that it has started, and hidden that there is one more shell.
tracer_hooks_entering() {
    tracer_hooks_enter= tracer_hooks_named=
    if [ ! -f "$tracer_hooks_wrapper" ]; then
        tracer_hooks_wrapper=
        eval "tracer_hooks_original() $(declare -f nxf_launch | tail -n +2)"
        return
    fi
    printf -v tracer_hooks_code '{ : >| %q; } 2> /dev/null; SHLVL=$((SHLVL - 1))' "$tracer_hooks_marker"
    if [ -f "$tracer_hooks_home/enter.sh" ]; then
        tracer_hooks_enter=$tracer_hooks_home/enter.sh
        if [ -n "${BASH_ENV:-}" ]; then
            printf -v tracer_hooks_code '%s; export BASH_ENV=%q' "$tracer_hooks_code" "$BASH_ENV"
        fi
    fi
    # A container's command line may name variables that are not exported.
    [ -z "${NXF_BOXID:-}" ] || tracer_hooks_named="${tracer_hooks_lines[*]:-}"
}

# tracer_hooks_start [WORD…]: what nxf_launch did, as the command that the words run, if there are any.
# The wrapper begins with `set -e`, but calls nxf_launch without, and with pipefail. What it is to
# enter at it splits into words, so it can be told that.
tracer_hooks_start() {
    local entry='eval set +e -o pipefail; nxf_launch'
    if [ -z "$tracer_hooks_wrapper" ]; then
        tracer_hooks_original
    elif [ -n "$tracer_hooks_enter" ]; then
        BASH_ENV=$tracer_hooks_enter TRACER_HOOKS_ENTER=$tracer_hooks_code \
            "$@" /bin/bash "$tracer_hooks_wrapper" "$entry"
    else
        "$@" /bin/bash -c "$tracer_hooks_code"$'\n'"set -- '$entry'; . \"\$0\"" "$tracer_hooks_wrapper"
    fi
}

# Have the shell that enters the wrapper know the variables that a container's command line names.
tracer_hooks_name_variables() {
    [ -z "$tracer_hooks_named" ] ||
        tracer_hooks_code="$tracer_hooks_code"$'\n'"$(tracer_hooks_variables)"
}

# What sets, in another shell, the variables of this one that the text in tracer_hooks_named names.
tracer_hooks_variables() {
    local rest=$tracer_hooks_named name
    while [[ $rest =~ \$\{?([A-Za-z_][A-Za-z0-9_]*) ]]; do
        name=${BASH_REMATCH[1]}
        rest=${rest#*"${BASH_REMATCH[0]}"}
        [ -z "${!name+set}" ] || declare -p "$name"
    done
}

# Run the task as it is, and leave a spool with what bash knows: start, end, exit status, CPU time.
tracer_hooks_alone() {
    local status=0 spool start end user=null system=null cpu=null
    local marker=$tracer_hooks_marker
    spool="$tracer_hooks_spools/bash.$tracer_hooks_attempt.${HOSTNAME:-host}-$$-$RANDOM$RANDOM.jsonl"
    start=$(tracer_hooks_now)
    { [ -d "$tracer_hooks_spools" ] || mkdir -p "$tracer_hooks_spools"; } 2> /dev/null || spool=
    { [ -z "$spool" ] || tracer_hooks_first_line > "$spool"; } 2> /dev/null || spool=
    tracer_hooks_start || status=$?
    end=$(tracer_hooks_now)
    # Only this shell itself knows the CPU time of what it has waited for: no $(…) here.
    if times >| "$marker" && { read -r _ && IFS=$' \t' read -r user system; } < "$marker"; then
        tracer_hooks_micros user system
        cpu=$((user + system))
    fi 2> /dev/null || true
    { [ -z "$spool" ] || tracer_hooks_last_lines "$1" >> "$spool"; } 2> /dev/null || spool=
    { if [ -n "$spool" ]; then echo "partly: $1"; else echo "missing: $1"; fi >| "$marker"; } \
        2> /dev/null || true
    return "$status"
}

tracer_hooks_first_line() {
    printf '{"t":"card","v":1,"card":%s,"started_at":%s,"host":"%s","workdir":"%s",' \
        "$tracer_hooks_card" "$(tracer_hooks_decimal "$start")" \
        "${HOSTNAME//[^A-Za-z0-9_.-]/}" "${PWD//[^A-Za-z0-9_.\/ :+,@=-]/?}"
    printf '"capture":"totals","mode":"run"}\n'
}

tracer_hooks_last_lines() {
    local word=succeeded cause=null
    [ "$status" = 0 ] || word=failed cause='"exit_code"'
    printf '{"t":"e","at":%s,"kind":"degraded","detail":{"what":"the supervisor","why":"%s"}}\n' \
        "$(tracer_hooks_decimal "$end")" "${1//[^A-Za-z0-9_.\/ :()-]/?}"
    printf '{"t":"sealed","ended_at":%s,"wall_s":%s,"status":"%s","exit_code":%d,' \
        "$(tracer_hooks_decimal "$end")" "$(tracer_hooks_decimal "$((end - start))")" "$word" "$status"
    printf '"failure_cause":%s,"cpu_user_s":%s,"cpu_system_s":%s,"cpu_s":%s,"capture":"totals"}\n' \
        "$cause" "$(tracer_hooks_decimal "$user")" "$(tracer_hooks_decimal "$system")" \
        "$(tracer_hooks_decimal "$cpu")"
}

# Microseconds since 1970.
tracer_hooks_now() {
    local at=${EPOCHREALTIME:-}
    [ -n "$at" ] || at=$(date +%s)000000
    printf '%s' "${at/[.,]/}"
}

# Microseconds as seconds; what is no number stays as it is.
tracer_hooks_decimal() {
    case $1 in
        *[!0-9]* | '') printf '%s' "$1" ;;
        *) printf '%d.%06d' "$(($1 / 1000000))" "$(($1 % 1000000))" ;;
    esac
}

# tracer_hooks_micros NAME…: `1m2.345s`, as `times` writes it, becomes 62345000.
tracer_hooks_micros() {
    local name value seconds
    for name; do
        value=${!name%s}
        seconds=${value#*m}
        seconds=${seconds/[.,]/}
        printf -v "$name" '%d' "$((10#${value%%m*} * 60000000 + 10#$seconds * 1000))"
    done
}
