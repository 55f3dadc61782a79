# Sourced by task.sh when signal $number has ended the task, process $pid ($core is 1 if that left a
# core): says on standard error what the wrapper's shell would have said, had it started the task
# itself. Whether it says anything, and how, another child shows that dies of the same signal in a
# function of the same form as nxf_launch.

tracer_hooks_dies() {
    /bin/bash -c 'ulimit -c 0; echo $$; kill -"$0" $$' "$number"
}

tracer_hooks_say_death() {
    local name=${BASH_SOURCE[${#BASH_SOURCE[@]} - 1]} said dead line head
    { tracer_hooks_dies; } >| "$tracer_hooks_marker" 2>&1
    { IFS= read -r dead && IFS= read -r said; } < "$tracer_hooks_marker" || return 0
    # NAME: line NUMBER: PID Killed      /bin/bash -c …
    if [[ $said =~ ^(.*[^0-9])([0-9]+)([^0-9]*[^0-9 ])\ +$dead\ (.+)/bin/bash\ -c ]]; then
        head=${BASH_REMATCH[1]/#"${BASH_SOURCE[0]}"/"$name"}
        line=$((BASH_REMATCH[2] - $(tracer_hooks_line_of tracer_hooks_dies "${BASH_SOURCE[0]}") +
            $(tracer_hooks_line_of nxf_launch "$tracer_hooks_wrapper")))
        said="$head$line${BASH_REMATCH[3]}"
        [ "$core" = 1 ] && core='(core dumped) ' || core=
        printf '%s %5d %s%s%s\n' "$said" "$pid" "${BASH_REMATCH[4]}" "$core" "$tracer_hooks_text" >&2
    else
        printf '%s\n' "$said" >&2
    fi
}

# tracer_hooks_line_of FUNCTION FILE: the number of the line in which the function's text begins.
tracer_hooks_line_of() {
    local number=0 text
    while IFS= read -r text && number=$((number + 1)) && [ "$text" != "$1() {" ]; do :; done < "$2"
    echo "$number"
}

tracer_hooks_say_death
