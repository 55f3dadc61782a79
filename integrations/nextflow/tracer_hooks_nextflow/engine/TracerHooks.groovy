// What runs inside Nextflow: puts our hook before each task's script, and tells the recorder, a
// process beside the engine, what the engine knows. tracer.config compiles it at the first task.
//
// Nothing here may fail a workflow: whatever goes wrong leaves a task as it would be without us.

import java.lang.reflect.Method
import java.nio.file.FileSystems
import java.nio.file.Files
import java.nio.file.Path
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.atomic.AtomicInteger

import groovy.transform.CompileStatic
import nextflow.Session
import nextflow.processor.LazyMap
import nextflow.processor.TaskConfig
import nextflow.processor.TaskHandler
import nextflow.script.ScriptType
import nextflow.trace.TraceObserver
import nextflow.trace.TraceRecord

// Compiled statically: each place that calls dynamically costs a millisecond or more at its first call.
@CompileStatic
class TracerHooks implements TraceObserver {

    // Under this name a task keeps its own beforeScript; that it is there says that ours is in place.
    static final String OWN = 'tracerHooksOwnBeforeScript'
    private static final List<String> OURS = ['spack', 'beforeScript']
    static final String MARKER = '.command.tracer'
    // Executors that run the wrapper itself inside the task's container.
    static final Set<String> INSIDE = [
        'k8s', 'awsbatch', 'google-batch', 'google-lifesciences', 'azurebatch', 'tes', 'float',
    ] as Set

    private static final Method TARGET = opened('getTarget')
    private static final Method DYNAMIC = opened('setDynamic', boolean)
    // What the end of a run needs takes a second to load; told so long before, it is there in time.
    private static final long AHEAD_MS = 3000
    private static final int STARTS_THAT_MAKE_A_PACE = 10

    private final Session session
    private final Map settings
    private final TracerCards cards
    private final TracerRecorder recorder
    // What the engine has taken up and not started yet.
    private final Set<TaskHandler> waiting = ConcurrentHashMap.newKeySet()
    private final AtomicInteger starts = new AtomicInteger()
    private final long since = System.currentTimeMillis()

    /** `settings`: home (the folder of task.sh), python, supervisor, store, run, pipeline, options. */
    TracerHooks( Session session, Map settings ) {
        this.session = session
        this.settings = settings
        final meta = session.workflowMetadata
        cards = new TracerCards(session, settings)
        recorder = new TracerRecorder(settings, cards.run())
        watchEngine()
        final hooks = this
        meta.onComplete { hooks.finish() }
    }

    /** Called while a task's configuration is resolved, before its beforeScript is asked for. */
    void attach( TaskConfig task, boolean dynamic = false ) {
        if( !task.containsKey(OWN) ) {
            task.put(OWN, task.getRawValue('beforeScript'))
            task.put('beforeScript', { before((Map) getDelegate()) })
        }
        // Of a task with a directive that is computed the engine keeps, and on -resume asks for, more
        // than of one without. Ours must not count: what ran before us would be run again.
        final target = (Map<String, Object>) TARGET.invoke(task)
        DYNAMIC.invoke(task, dynamic || target.any { name, value -> !(name in OURS) && computed(value) })
    }

    /** A method of a task's configuration that is not for everybody. */
    private static Method opened( String name, Class... types ) {
        final method = LazyMap.getDeclaredMethod(name, types)
        method.accessible = true
        return method
    }

    private static boolean computed( value ) {
        value instanceof Closure || value instanceof GString && ((GString) value).values.any { it instanceof Closure } ||
            value instanceof List && ((List) value).any { it instanceof Closure }
    }

    /** Our hook, then the task's own beforeScript, which the engine resolves as it always does. */
    private String before( Map context ) {
        final task = (TaskConfig) context.get('task')
        final own = task.get(OWN)?.toString()
        try {
            final ours = hook(context, task)
            return own ? ours + '\n' + own : ours
        }
        catch( Throwable error ) {
            recorder.warn("not recorded, and runs as it is: a task of ${task.get('process')} ($error)")
            return own
        }
    }

    private String hook( Map context, TaskConfig task ) {
        final folder = (Path) task.get('workDir')
        final inside = task.get('executor') in INSIDE || folder.fileSystem != FileSystems.default
        final card = cards.of(context, task)
        final List words = [card.run_id, card.task_id, card.attempt, TracerCards.json(card), folder, settings.store,
                       inside ? 'python3' : settings.python, inside ? staged() : settings.supervisor]
        final call = (['tracer_hooks_task'] + (words + (List) settings.options).collect { quoted(it) }).join(' ')
        final file = "${settings.home}/task.sh"
        if( inside )
            return new File(file).text + new File("${settings.home}/task_otherwise.sh").text + call + ' || true'
        // Where a node has no such file the task runs as it is, and the engine is told why.
        final note = "echo ${quoted("missing: there is no $file on this host")} > ${quoted("$folder/$MARKER")}"
        return "if [ -r ${quoted(file)} ]; then . ${quoted(file)} && $call || true; else $note || true; fi"
    }

    /** The supervisor in one file, where containers that mount the work folder see it. */
    private String staged() { "${session.workDir}/.tracer-hooks/supervisor.pyz" }

    private static String quoted( Object text ) { "'" + text.toString().replace("'", "'\\''") + "'" }

    /** The workflow is over. */
    void finish() {
        final meta = session.workflowMetadata
        waiting.each { handler -> quietly { recorder.task(cards.engineSide(handler.task, null), 'never started') } }
        final stats = meta.stats
        final all = stats.succeededCount + stats.failedCount + stats.cachedCount
        recorder.end(meta.success ? 'succeeded' : session.isCancelled() ? 'cancelled' : 'failed', all)
    }

    /** Be told of every task. The engine's list is replaced, not changed: others walk through it. */
    private void watchEngine() {
        for( name in ['observersV1', 'observers'] ) {
            try {
                final field = Session.getDeclaredField(name)
                field.accessible = true
                final all = new CopyOnWriteArrayList((Collection) field.get(session) ?: [])
                all.add(this)
                field.set(session, all)
                return
            }
            catch( NoSuchFieldException ignored ) { }
        }
        recorder.warn('this Nextflow does not say when tasks were submitted and completed, and which were cached')
    }

    @Override
    void onProcessPending( TaskHandler handler, TraceRecord trace ) { waiting.add(handler) }

    @Override
    void onProcessStart( TaskHandler handler, TraceRecord trace ) {
        if( waiting.remove(handler) && overSoon(waiting.size(), starts.incrementAndGet(), System.currentTimeMillis() - since) )
            quietly { recorder.soon() }
    }

    /** Whether all that waits will have been started in a few seconds, if it goes on as till now. */
    static boolean overSoon( long waiting, long started, long tookMs ) {
        waiting == 0 || started >= STARTS_THAT_MAKE_A_PACE && tookMs * waiting < AHEAD_MS * started
    }

    @Override
    void onProcessComplete( TaskHandler handler, TraceRecord trace ) {
        waiting.remove(handler)
        quietly { tell(handler, trace, note(handler)) }
    }

    @Override
    void onProcessCached( TaskHandler handler, TraceRecord trace ) { quietly { tell(handler, trace, 'cached') } }

    private void tell( TaskHandler handler, TraceRecord trace, String note ) {
        recorder.task(cards.engineSide(handler.task, trace), note)
    }

    /** The line that the hook left in the task's folder: '' if the supervisor ran; null if no hook was there. */
    private static String note( TaskHandler handler ) {
        if( handler.task.type == ScriptType.GROOVY )
            return 'within the engine'
        final marker = handler.task.workDir?.resolve(MARKER)
        return marker && Files.exists(marker) ? marker.text.trim().readLines().take(1).join('') : null
    }

    private void quietly( Closure work ) {
        try { work.call() }
        catch( Throwable error ) { recorder.warn("what the engine knows of a task is not recorded ($error)") }
    }
}
