package venue

import (
	"cmp"
	"slices"

	"github.com/shopspring/decimal"
)

func (c Config) completeAccounts(bad func(string, ...any)) []Account {
	accounts := slices.Clone(c.Accounts)
	if len(accounts) == 0 {
		accounts = []Account{{}}
	}
	accounts[0].Key = cmp.Or(accounts[0].Key, DefaultKey)
	seen := map[string]bool{}
	accounts = slices.DeleteFunc(accounts, func(a Account) bool {
		if a.Key == "" || seen[a.Key] {
			bad("Accounts: key %q is empty or there twice", a.Key)
			return true
		}
		seen[a.Key] = true
		return false
	})
	for i := range accounts {
		a := &accounts[i]
		a.Secret = cmp.Or(a.Secret, DefaultSecret)
		balances := map[string]decimal.Decimal{}
		for asset, amount := range a.Balances {
			if amount.IsNegative() || amount.Truncate(digits).Cmp(amount) != 0 {
				bad("Accounts: %s of %s is negative or has more than %d digits", amount, asset, digits)
				amount = decimal.Max(amount, decimal.Zero).Truncate(digits)
			}
			balances[asset] = amount
		}
		if a.Balances == nil {
			for _, s := range c.Symbols {
				_, quote := split(s)
				balances[quote] = decimal.New(1_000_000, 0)
			}
			for _, s := range c.Symbols { // after the quote assets: BTC can be both
				base, _ := split(s)
				balances[base] = decimal.New(1000, 0)
				if base == "BTC" || base == "ETH" {
					balances[base] = decimal.New(100, 0)
				}
			}
		}
		a.Balances = balances
	}
	return accounts
}
