// Package chaos makes things fail on purpose.
//
// An [Injector] decides which operation fails and how: by rates with a seed, or by a script. It can be
// changed while the program runs. The wrappers ask it:
//
//   - [Func] and [Do] for functions;
//   - [Connector] and [Driver] for database/sql drivers;
//   - [Conn], [Dial] and [Listen] for network connections;
//   - [Transport] for HTTP clients, [Handler] for servers;
//   - [Gate] for what stands before attempts.
//
// [Parse] reads rules as people write them, and a [Switch] lets them do so over HTTP.
//
// The [Fault] that finds duplicates is [ApplyThenFail]: what was asked for happens, and the answer is lost.
//
// [Point] is another kind of fault: it kills the process at a named place in the code, as kill -9
// does. [Crash] and [CrashEach] start processes that die so.
//
// The package is for tests and for drills. The zero Injector does nothing, and wrapping costs little then.
package chaos
