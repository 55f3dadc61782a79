// Who a run and a task are, in the words of a task card (tracer_hooks/adapter.py).

import groovy.json.JsonOutput
import groovy.transform.CompileStatic
import java.nio.file.FileSystems
import java.nio.file.Files
import java.nio.file.Path
import nextflow.Session
import nextflow.processor.TaskConfig
import nextflow.processor.TaskRun
import nextflow.script.WorkflowMetadata
import nextflow.trace.TraceRecord

@CompileStatic
class TracerCards {

    // A card is one argument of a program; nobody reads tags of a thousand characters.
    private static final int LONGEST = 1000
    private static final int MOST_INPUTS = 500

    private final Session session
    private final Map settings
    private final String runId
    private final String pipeline

    TracerCards( Session session, Map settings ) {
        this.session = session
        this.settings = settings
        final meta = session.workflowMetadata
        runId = settings.run ?: "${session.runName}-${session.uniqueId.toString().take(8)}"
        pipeline = settings.pipeline ?: nameOf(meta)
        final store = (settings.store ?: System.getenv('TRACER_HOOKS_STORE') ?: '.tracer').toString()
        settings.store = meta.launchDir.resolve(store.replaceFirst('^~(?=/|$)', System.getProperty('user.home')))
            .toAbsolutePath().normalize().toString()
    }

    private static String nameOf( WorkflowMetadata meta ) {
        final given = meta.manifest?.name ?: (meta.repository ? meta.projectName : null)
        if( given )
            return given
        final script = (Path) meta.scriptFile
        final name = script.fileName.toString() - ~/[.]nf$/
        return name == 'main' ? script.toAbsolutePath().parent.fileName.toString() : name
    }

    /** What the engine knows of the run. */
    Map run() {
        final meta = session.workflowMetadata
        final tags = [
            session: session.uniqueId, name: session.runName, revision: meta.revision ?: meta.manifest?.version,
            commit: meta.commitId, script: meta.scriptId, profile: meta.profile, resumed: session.resumeMode ?: null,
        ].findAll { it.value }
        return [
            run_id: runId, store: settings.store, pipeline: pipeline,
            engine_version: meta.nextflow.version.toString(), workdir: meta.launchDir.toString(),
            command: meta.commandLine, work: local(session.workDir),
            options: settings.options,
            tags: tags.collectEntries { name, value -> ["nextflow.$name".toString(), brief(value)] },
        ]
    }

    /** The card of one attempt; `context` holds the inputs of its process by name. */
    Map of( Map context, TaskConfig task ) {
        final tags = [
            hash: task.get('hash'), tag: task.get('tag'), index: task.get('index'),
            executor: task.get('executor') ?: 'local', queue: task.get('queue'),
        ].findAll { it.value != null }
        final time = task.getTime()
        final card = [
            run_id: runId, task_id: taskId(task.get('process'), task.get('index')), attempt: task.getAttempt(),
            pipeline: pipeline, engine: 'nextflow', step: brief(task.get('process')), task_name: brief(task.get('name')),
            sample: ifKnown { sample(context) }, container_image: container(task),
            cpus_requested: task.getCpus(), memory_requested_bytes: task.getMemory()?.toBytes(),
            time_requested_s: time ? time.toMillis() / 1000 : null,
            disk_requested_bytes: task.getDisk()?.toBytes(), input_bytes: ifKnown { inputBytes(context) },
            submitted_at: System.currentTimeMillis() / 1000,
        ].findAll { it.value != null }
        // The tags stay last: task.sh adds the job's number in its queue to them.
        card.tags = tags.collectEntries { name, value -> [name, brief(value)] }
        return card
    }

    /** What the engine's own trace says of an attempt; times in seconds since 1970. */
    Map engineSide( TaskRun task, TraceRecord trace ) {
        final at = { String name -> trace?.get(name) ? (trace.get(name) as long) / 1000 : null }
        return [
            task_id: taskId(task.processor.name, task.index), task_name: brief(task.name), step: task.processor.name,
            attempt: task.config.attempt, hash: task.hash?.toString(), native_id: trace?.get('native_id')?.toString(),
            status: trace?.get('status')?.toString(), exit_code: exitCode(trace?.get('exit')),
            submitted_at: at('submit'), started_at: at('start'), ended_at: at('complete'),
        ].findAll { it.value != null }
    }

    /** Inputs can be anything: what can't be made sense of is not known. */
    private static Object ifKnown( Closure question ) {
        try { question.call() }
        catch( Exception ignored ) { null }
    }

    private static Integer exitCode( value ) {
        value instanceof Number && value != Integer.MAX_VALUE ? value as Integer : null
    }

    /** The same for every attempt: the process, and the task's number in it. */
    private static String taskId( process, index ) { "$process.$index" }

    /** `meta.id`, as nf-core pipelines have it, or an input that is called so. */
    private static String sample( Map context ) {
        final metas = [context.get('meta')] + inputs(context)
        final meta = (Map) metas.find { it instanceof Map && it.get('id') instanceof CharSequence }
        final plain = ['sample', 'sample_id', 'sampleId'].collect { context.get(it) }
        return brief(meta?.get('id') ?: plain.find { it instanceof CharSequence || it instanceof Number })
    }

    private static List inputs( Map context ) { context.findAll { it.key != 'task' }.values().toList() }

    private String container( TaskConfig task ) {
        final image = session.containerConfig?.isEnabled() || task.get('executor') in TracerHooks.INSIDE
            ? task.get('container') : null
        return image instanceof CharSequence ? brief(image) : null
    }

    /** The sizes of the files among the inputs; null where they can't be told at once. */
    private static Long inputBytes( Map context ) {
        final files = (List<Path>) inputs(context).flatten().findAll { it instanceof Path }
        if( !files || files.size() > MOST_INPUTS )
            return null
        long total = 0
        for( Path file : files ) {
            // An input is a path of Nextflow's own, which knows also the name that the task sees.
            if( file.fileSystem != FileSystems.default )
                return null
            final real = file.toRealPath()
            if( !Files.isRegularFile(real) )
                return null
            total += Files.size(real)
        }
        return total
    }

    private static String local( Path folder ) { folder.fileSystem == FileSystems.default ? folder.toString() : null }

    private static String brief( value ) { value?.toString()?.take(LONGEST) }

    static String json( Object value ) { JsonOutput.toJson(value) }
}
