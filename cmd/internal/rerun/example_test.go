//go:build unix

package rerun_test

import (
	"context"
	"fmt"
	"os"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/cmd/internal/rerun"
)

func ExampleCommand_Run() {
	c := &rerun.Command{
		Args:    []string{"sh", "-c", `echo "attempt $RELENT_ATTEMPT of $RELENT_MAX_ATTEMPTS"; test $RELENT_ATTEMPT = 2`},
		Stdin:   rerun.StdinNone,
		Backoff: backoff.Constant{Jitter: backoff.None},
		Quiet:   true,
		Err:     os.Stdout,
	}
	code, err := c.Run(context.Background())
	fmt.Println(code, err)
	// Output:
	// attempt 1 of 3
	// attempt 2 of 3
	// 0 <nil>
}

func ExampleParseCodes() {
	codes, err := rerun.ParseCodes("110,1,75,100-109")
	fmt.Println(codes, codes.Has(105), codes.Has(2), err)
	_, err = rerun.ParseCodes("9-3")
	fmt.Println(err)
	// Output:
	// 1,75,100-110 true false <nil>
	// "9-3" runs backwards: write 3-9
}

func ExampleParseSize() {
	fmt.Println(rerun.ParseSize("16MiB"))
	fmt.Println(rerun.ParseSize("16 MiB"))
	// Output:
	// 16777216 <nil>
	// 0 "16 MiB": want a whole number and a unit without a space, such as 16MiB
}
