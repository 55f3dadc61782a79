// The line to the recorder, a Python process beside the engine: one JSON object for each thing told.

import java.util.concurrent.BlockingQueue
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit

import groovy.transform.CompileStatic
import org.slf4j.Logger
import org.slf4j.LoggerFactory

@CompileStatic
class TracerRecorder {

    // Some hundred bytes each. A recorder that is so far behind is stuck.
    private static final int MOST_WAITING = 20_000
    private static final String LAST = ''
    private static final long SOON_APART_NS = 5_000_000_000
    private static final Logger log = LoggerFactory.getLogger('nextflow.TracerHooks')

    private final Process process
    private final Writer pipe
    private final BlockingQueue<String> waiting = new LinkedBlockingQueue<>(MOST_WAITING)
    private final StringBuffer said = new StringBuffer()
    private final Set<String> warned = [].toSet()
    private volatile boolean broken = false
    private volatile long toldSoon = System.nanoTime() - SOON_APART_NS - 1
    // The engine's end waits so long for the summary; then the recorder ingests beside what follows.
    private long patienceS = 60

    TracerRecorder( Map settings, Map run ) {
        try {
            final command = [settings.python, '-I', "${settings.home}/recorder.py"] as List<String>
            process = new ProcessBuilder(command*.toString()).redirectErrorStream(true).start()
            process.consumeProcessOutputStream(said)
            pipe = new BufferedWriter(new OutputStreamWriter(process.outputStream, 'UTF-8'))
            Thread.startDaemon('tracer-hooks') { writeAll() }
        }
        catch( IOException error ) {
            broken = true
            warn("the run has no record of its own: $error.message")
        }
        send(run: run)
    }

    /** The engine is done with an attempt; `note` is what the hook left behind. */
    void task( Map facts, String note ) { send(task: facts, note: note) }

    /** The run may be over soon. */
    void soon() {
        final now = System.nanoTime()
        if( now - toldSoon > SOON_APART_NS ) {
            toldSoon = now
            send(soon: true)
        }
    }

    /** The run is over, `all` attempts were made: the recorder ingests, and what it says goes into the log. */
    void end( String status, int all ) {
        send(end: status, all: all)
        if( broken )
            return
        broken = true  // what the engine may still say of tasks that it cancels comes too late
        try {
            if( !waiting.offer(LAST) || !process.waitFor(patienceS, TimeUnit.SECONDS) ) {
                warn("the recorder of this run is not done after $patienceS s; see `tracer-hooks report` later")
                return
            }
            said.toString().readLines().each { line ->
                line.startsWith('warning: ') ? warn(line - 'warning: ') : log.info(line)
            }
        }
        catch( Throwable error ) {
            warn("no summary of this run: $error")
        }
    }

    /** One line in the log, once. */
    void warn( String text ) {
        synchronized( warned ) {
            if( warned.add(text) && warned.size() <= 5 )
                log.warn("tracer-hooks: ${text.readLines().take(2).join(' ')}".toString())
        }
    }

    /** Never waits: who calls is the engine, with the whole run behind it. */
    private synchronized void send( Map line ) {
        if( !broken && !waiting.offer(TracerCards.json(line) + '\n') ) {
            broken = true
            warn('the recorder of this run does not listen; tasks are recorded all the same')
        }
    }

    /** In a thread of its own, for a pipe that is full holds up who writes. */
    private void writeAll() {
        try {
            for( String line = waiting.take(); line != LAST; line = waiting.take() ) {
                pipe.write(line)
                if( waiting.isEmpty() || waiting.peek() == LAST )
                    pipe.flush()
            }
            pipe.close()
        }
        catch( IOException error ) {
            broken = true
            warn("the recorder of this run has ended (${said.toString().readLines().findAll().takeRight(1).join('') ?: error.message}); tasks are recorded all the same")
        }
    }
}
