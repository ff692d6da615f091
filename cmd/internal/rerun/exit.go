//go:build unix

package rerun

import "fmt"

// Exit codes that relent itself chooses. A command that a signal n ended counts as 128+n, as in shells.
const (
	codeFailed        = 1
	codeUsage         = 2
	codeHalted        = 4   // an emergency stop refused
	codeRefused       = 5   // a budget, breaker or limit did
	codeElapsed       = 124 // as timeout(1)
	codeNotExecutable = 126 // POSIX.1-2024, Shell Command Language, 2.8.2
	codeNotFound      = 127
	codeSignal        = 128
)

// An Exit is how a program should end: with status Code, after printing Err if there is one. Err's
// text does not begin with the program's name, and may have a second line "try: COMMAND".
type Exit struct {
	Code int
	Err  error // nil if everything has been said already
}

// Error returns Err's text, or the code.
func (e *Exit) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return e.Err.Error()
}

// Unwrap returns Err.
func (e *Exit) Unwrap() error { return e.Err }
