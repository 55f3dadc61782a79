# BASH_ENV of the one shell that enters a task's wrapper again (task.sh): do what is said there, and
# leave nothing behind for what it starts.
tracer_hooks_code=$TRACER_HOOKS_ENTER
unset BASH_ENV TRACER_HOOKS_ENTER
eval "$tracer_hooks_code"
unset tracer_hooks_code
