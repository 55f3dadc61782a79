# Sourced by a task's wrapper (.command.run) before anything of the task itself runs: has nxf_launch,
# which starts the task's script or its container, run under the supervisor. Bash 3.2 or later.
#
# The task comes first. Where the supervisor can't be started, the task is started without it and
# bash notes what it can; the reason goes into .command.tracer, which the engine reads. Every name
# begins with tracer_hooks_, nothing is exported, and it holds under the wrapper's `set -e` and `-u`.
#
# Each task reads this and waits for it: no $(…) and no program here, both fork. What only some tasks
# need is in task_otherwise.sh.

# tracer_hooks_task RUN TASK ATTEMPT CARD FOLDER STORE PYTHON SUPERVISOR [OPTION…]
tracer_hooks_task() {
    tracer_hooks_card=$4 tracer_hooks_marker=$5/.command.tracer
    tracer_hooks_python=$7 tracer_hooks_supervisor=$8
    tracer_hooks_home=${BASH_SOURCE[0]%/*}
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
    tracer_hooks_read_launch
    tracer_hooks_plainly
    if [ "${#tracer_hooks_command[@]}" = 0 ]; then
        if ! tracer_hooks_load; then
            echo "missing: there is no $tracer_hooks_home/task_otherwise.sh on this host" \
                >| "$tracer_hooks_marker" || true
            return
        fi 2> /dev/null
        tracer_hooks_entering
    fi
    nxf_launch() { tracer_hooks_launch; }
}

# Leave a note of what holds till the task is started, and in tracer_hooks_lines nxf_launch's text:
# by way of the file, for $(…) would fork. While the note is there, nothing of the task was started.
tracer_hooks_read_launch() {
    tracer_hooks_lines=()
    # No loop with its own `<`: after one, bash gives what it starts with & its own standard input.
    {
        {
            echo "missing: it ended before the supervisor could start it"
            declare -f nxf_launch
        } >| "$tracer_hooks_marker" && {
            mapfile -t tracer_hooks_lines < "$tracer_hooks_marker" ||
                IFS= read -r -d '' tracer_hooks_lines < "$tracer_hooks_marker"
        }
    } 2> /dev/null || true
}

# If nxf_launch runs one program by its full path, with words that mean themselves, they are left in
# tracer_hooks_command, and the supervisor starts just that.
tracer_hooks_plainly() {
    local word='([A-Za-z0-9_./:+,@%=-]|\\[^[:cntrl:]])+' line=${tracer_hooks_lines[3]:-}
    tracer_hooks_command=()
    [ "${#tracer_hooks_lines[@]}" = 5 ] && [ -f "$tracer_hooks_wrapper" ] || return 0
    line=${line#"${line%%[! ]*}"}
    case $line in
        [!/]* | *[!A-Za-z0-9_./:+,@%=\ -]*) [[ $line =~ ^/$word(\ $word)*$ ]] || return 0 ;;
    esac
    [ -f "$tracer_hooks_home/death.sh" ] || return 0
    tracer_hooks_text=$line
    eval "tracer_hooks_command=($line)"
    # What can't be run is left to the wrapper's own shell, which says so in its words.
    if [ ! -f "${tracer_hooks_command[0]}" ] || [ ! -x "${tracer_hooks_command[0]}" ]; then
        tracer_hooks_command=()
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

tracer_hooks_launch() {
    local status=0
    if ! tracer_hooks_possible; then
        tracer_hooks_without "$tracer_hooks_why"
        return
    fi
    if [ "${#tracer_hooks_command[@]}" != 0 ]; then
        "$tracer_hooks_python" -I -S "$tracer_hooks_supervisor" "${tracer_hooks_options[@]}" \
            --shell-note "$tracer_hooks_marker" -- "${tracer_hooks_command[@]}" || status=$?
    else
        tracer_hooks_name_variables
        tracer_hooks_start "$tracer_hooks_python" -I -S "$tracer_hooks_supervisor" \
            "${tracer_hooks_options[@]}" -- || status=$?
    fi
    if [ "$status" = 0 ] || ! tracer_hooks_unstarted; then
        return "$status"
    fi
    tracer_hooks_without "the supervisor did not start (exit status $status of $tracer_hooks_python)"
}

# Whether nothing of the task was started: our note of that stands there still. If it says that a
# signal ended the task, the shell says so, as it would have.
tracer_hooks_unstarted() {
    local word number pid core
    { IFS=' ' read -r word number pid core < "$tracer_hooks_marker"; } 2> /dev/null || return 1
    if [ "$word" = signal ]; then
        . "$tracer_hooks_home/death.sh" || true
        { : >| "$tracer_hooks_marker"; } 2> /dev/null || true
    fi
    [ "$word" = missing: ]
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

# tracer_hooks_without WHY: start the task as it is.
tracer_hooks_without() {
    if [ "${#tracer_hooks_command[@]}" = 0 ]; then
        tracer_hooks_alone "$1"
    elif [ -f "$tracer_hooks_wrapper" ] && tracer_hooks_load 2> /dev/null; then
        tracer_hooks_entering
        tracer_hooks_alone "$1"
    else
        { echo "missing: $1" >| "$tracer_hooks_marker"; } 2> /dev/null || true
        "${tracer_hooks_command[@]}"
    fi
}

tracer_hooks_load() {
    declare -F tracer_hooks_alone > /dev/null || . "$tracer_hooks_home/task_otherwise.sh"
}
