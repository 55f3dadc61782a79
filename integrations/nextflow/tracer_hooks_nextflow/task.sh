# Sourced by a task's wrapper (.command.run) before anything of the task itself runs: has nxf_launch,
# which starts the task's script or its container, run under the supervisor. Bash 3.2 or later.
#
# The task comes first. Where the supervisor can't be started, the task is started without it and
# bash notes what it can; the reason goes into .command.tracer, which the engine reads. Every name
# begins with tracer_hooks_, nothing is exported, and it holds under the wrapper's `set -e` and `-u`.

# tracer_hooks_task RUN TASK ATTEMPT CARD FOLDER STORE PYTHON SUPERVISOR [OPTION…]
tracer_hooks_task() {
    tracer_hooks_card=$4 tracer_hooks_marker=$5/.command.tracer
    tracer_hooks_python=$7 tracer_hooks_supervisor=$8
    tracer_hooks_add_job
    tracer_hooks_options=(run --store "$6" --run "$1" --task "$2" --attempt "$3"
        --card "$tracer_hooks_card" "${@:9}")
    tracer_hooks_spools="$6/spool/$1" tracer_hooks_attempt=$3
    # The wrapper by the name under which it was started, which messages of the shell begin with.
    tracer_hooks_wrapper=${BASH_SOURCE[${#BASH_SOURCE[@]} - 1]}
    if [ ! -f "$tracer_hooks_wrapper" ] ||
        { [ -n "${NXF_SCRATCH:-}" ] && [ "${tracer_hooks_wrapper:0:1}" != / ]; }; then
        tracer_hooks_wrapper=$5/.command.run
    fi
    if [ -f "$tracer_hooks_wrapper" ]; then
        tracer_hooks_entering
    else
        tracer_hooks_wrapper=
        eval "tracer_hooks_original() $(declare -f nxf_launch | tail -n +2)"
    fi
    nxf_launch() { tracer_hooks_launch; }
}

# How the task is started: if nxf_launch is one plain command, the supervisor starts that. Else, and
# where there is no supervisor, a shell does that enters the wrapper again, after it has emptied the
# marker, by which we know that it has started, and hidden that there is one more shell.
tracer_hooks_entering() {
    local folder="${BASH_SOURCE[0]%/*}" launch=
    printf -v tracer_hooks_code '{ : > %q; } 2> /dev/null; SHLVL=$((SHLVL - 1))' "$tracer_hooks_marker"
    tracer_hooks_enter= tracer_hooks_named= tracer_hooks_command=()
    if [ -f "$folder/enter.sh" ]; then
        tracer_hooks_enter=$folder/enter.sh
        if [ -n "${BASH_ENV:-}" ]; then
            printf -v tracer_hooks_code '%s; export BASH_ENV=%q' "$tracer_hooks_code" "$BASH_ENV"
        fi
    fi
    # Not by $(…), which would fork.
    { declare -f nxf_launch > "$tracer_hooks_marker" &&
        IFS= read -r -d '' launch < "$tracer_hooks_marker"; } 2> /dev/null || true
    # A container's command line may name variables that are not exported.
    [ -z "${NXF_BOXID:-}" ] || tracer_hooks_named=$launch
    tracer_hooks_death=$folder/death.sh
    [ ! -f "$tracer_hooks_death" ] || tracer_hooks_plainly "$launch"
}

# tracer_hooks_plainly TEXT: if the function with this text runs one program by its full path, with
# words that mean themselves, they are left in tracer_hooks_command.
tracer_hooks_plainly() {
    local word='([A-Za-z0-9_./:+,@%=-]|\\[^[:cntrl:]])+'
    local form="^nxf_launch \(\)[[:space:]]+\{[[:space:]]+(/$word( $word)*)[[:space:]]+\}[[:space:]]*\$"
    [[ $1 =~ $form ]] || return 0
    tracer_hooks_text=${BASH_REMATCH[1]}
    eval "tracer_hooks_command=($tracer_hooks_text)"
    # What can't be run is left to the wrapper's own shell, which says so in its words.
    if [ ! -f "${tracer_hooks_command[0]}" ] || [ ! -x "${tracer_hooks_command[0]}" ]; then
        tracer_hooks_command=()
    fi
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

# One more of the card's tags, which stand last: the number that the queue gave this job.
tracer_hooks_add_job() {
    local job=${SLURM_JOB_ID:-${PBS_JOBID:-${LSB_JOBID:-${AWS_BATCH_JOB_ID:-}}}}
    if [ -n "${SLURM_ARRAY_JOB_ID:-}" ]; then
        job="${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID:-}"
    elif [ -z "$job" ] && [ -n "${SGE_TASK_ID:-}" ]; then
        job=${JOB_ID:-}
    fi
    job=${job//[^A-Za-z0-9_.:-]/}
    if [ -n "$job" ] && [ "${tracer_hooks_card: -2}" = '}}' ]; then
        tracer_hooks_card="${tracer_hooks_card:0:${#tracer_hooks_card}-2},\"native_id\":\"$job\"}}"
    fi
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

tracer_hooks_launch() {
    local status=0
    [ -z "${tracer_hooks_named:-}" ] ||
        tracer_hooks_code="$tracer_hooks_code"$'\n'"$(tracer_hooks_variables)"
    if tracer_hooks_possible; then
        # While the marker says so, nothing of the task was started.
        { echo "missing: the supervisor did not start" > "$tracer_hooks_marker"; } 2> /dev/null || true
        if [ "${#tracer_hooks_command[@]}" != 0 ]; then
            "$tracer_hooks_python" -I -S "$tracer_hooks_supervisor" "${tracer_hooks_options[@]}" \
                --shell-note "$tracer_hooks_marker" -- "${tracer_hooks_command[@]}" || status=$?
        else
            tracer_hooks_start "$tracer_hooks_python" -I -S "$tracer_hooks_supervisor" \
                "${tracer_hooks_options[@]}" -- || status=$?
        fi
        if [ "$status" = 0 ] || [ ! -s "$tracer_hooks_marker" ]; then
            return "$status"
        fi
        if [ "${#tracer_hooks_command[@]}" != 0 ] && tracer_hooks_by_signal; then
            return "$status"
        fi
        tracer_hooks_why="the supervisor did not start (exit status $status of $tracer_hooks_python)"
    fi
    tracer_hooks_alone "$tracer_hooks_why"
}

# Whether a signal ended the task: then the shell says so, as it would have.
tracer_hooks_by_signal() {
    local word number pid core
    { read -r word number pid core < "$tracer_hooks_marker"; } 2> /dev/null || return 1
    [ "$word" = signal ] || return 1
    . "$tracer_hooks_death" || true
    { : > "$tracer_hooks_marker"; } 2> /dev/null || true
}

# Whether the supervisor can be started here; if not, tracer_hooks_why says why.
tracer_hooks_possible() {
    tracer_hooks_why=
    if [ -z "$tracer_hooks_wrapper" ]; then
        tracer_hooks_why="the wrapper is no file here"
    elif [ ! -r "$tracer_hooks_supervisor" ]; then
        tracer_hooks_why="there is no $tracer_hooks_supervisor on this host"
    elif [ "${tracer_hooks_python#/}" = "$tracer_hooks_python" ]; then
        "$tracer_hooks_python" -I -S -c 'import sys; sys.exit(sys.version_info < (3, 9))' \
            2> /dev/null || tracer_hooks_why="no python3 of 3.9 or later in this image"
    elif [ ! -x "$tracer_hooks_python" ]; then
        tracer_hooks_why="there is no $tracer_hooks_python on this host"
    fi
    [ -z "$tracer_hooks_why" ]
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
    if times > "$marker" && { read -r _ && read -r user system; } < "$marker"; then
        tracer_hooks_micros user system
        cpu=$((user + system))
    fi 2> /dev/null || true
    { [ -z "$spool" ] || tracer_hooks_last_lines "$1" >> "$spool"; } 2> /dev/null || spool=
    { if [ -n "$spool" ]; then echo "partly: $1"; else echo "missing: $1"; fi > "$marker"; } \
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
