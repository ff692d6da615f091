package batch_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/work/batch"
)

func ExampleDo() {
	orders := []string{"buy 1 BTC", "buy 0 ETH", "sell 2 SOL"}
	place := func(ctx context.Context, order string) (string, error) {
		switch order {
		case "buy 0 ETH":
			return "", retry.Mark(errors.New("quantity is zero"), retry.Permanent)
		case "sell 2 SOL":
			return "", errors.New("connection reset") // after it was sent: nobody knows
		}
		return "placed under " + batch.Key(ctx), nil
	}
	found := func(_ context.Context, item batch.Item[string], _ error) (string, batch.Finding, error) {
		return "found under " + item.Key, batch.Applied, nil // as the venue says
	}
	report, err := batch.Do(context.Background(), &retry.Policy{Name: "venue.place_order"}, orders, place,
		&batch.Options[string, string]{Key: "rebalance-7", Reconcile: found})
	for _, o := range report.Outcomes {
		fmt.Printf("%v %q\n", o.State, o.Value)
	}
	fmt.Println(report.Count(batch.Succeeded), "of", len(orders), errors.Is(err, retry.ErrPermanent))
	// Output:
	// succeeded "placed under rebalance-7/0"
	// failed ""
	// succeeded "found under rebalance-7/2"
	// 2 of 3 true
}

// A call that takes many rows, and says which of them it did not take.
func ExampleBulk() {
	busy := retry.After(errors.New("shard is busy"), 0)
	calls := 0
	insert := func(_ context.Context, rows []batch.Item[string]) (answers []batch.Answer[int], _ error) {
		calls++
		for _, row := range rows {
			a := batch.Answer[int]{Value: calls}
			if calls == 1 && row.Index == 1 {
				a = batch.Answer[int]{Err: busy}
			}
			answers = append(answers, a)
		}
		fmt.Println("sent", len(rows))
		return answers, nil
	}
	report, err := batch.Bulk(context.Background(), &retry.Policy{}, []string{"a", "b", "c"}, insert, nil)
	fmt.Println(report.Outcomes[1].Attempts, err)
	// Output:
	// sent 3
	// sent 1
	// 2 <nil>
}

// A transaction is the caller's: here, one that counts what was committed.
func ExampleAtomic() {
	committed := 0
	inTx := func(ctx context.Context, f func(context.Context) error) error {
		if err := f(ctx); err != nil {
			return err // rolled back
		}
		committed++
		return nil
	}
	book := func(_ context.Context, amount int) (string, error) {
		if amount < 0 {
			return "", retry.Mark(errors.New("negative amount"), retry.Permanent)
		}
		return "booked", nil
	}
	report, err := batch.Atomic(context.Background(), nil, []int{10, -5, 20}, inTx, book, nil)
	fmt.Println(committed, report.Count(batch.Failed))
	fmt.Println(errors.Is(err, retry.ErrPermanent))
	// Output:
	// 0 3
	// true
}
