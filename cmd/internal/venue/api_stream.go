package venue

import "time"

// serveListenKey is the old way to a user data stream: POST makes a key, PUT keeps it, DELETE ends it.
func serveListenKey(e *engine, c *call, _ time.Time) (any, *apiError) {
	if !e.cfg.ListenKeys {
		return nil, errGone
	}
	number := e.accounts[c.account].number
	if c.method == "POST" {
		for key, n := range c.world.listenKeys { // there is one per account
			if n == number {
				return listenKeyView{key}, nil
			}
		}
		key := generatedID(e.cfg.Seed, "listen key", uint64(number))
		c.world.listenKeys[key] = number
		return listenKeyView{key}, nil
	}
	key := c.params.Get("listenKey")
	if c.world.listenKeys[key] != number {
		return nil, errListenKey
	}
	if c.method == "DELETE" {
		delete(c.world.listenKeys, key)
		for _, l := range append([]*link{}, e.hub.users[number]...) {
			if len(l.users) == 0 && l.updates == nil {
				e.hub.users[number] = without(e.hub.users[number], l)
			}
		}
	}
	return struct{}{}, nil
}

type listenKeyView struct {
	ListenKey string `json:"listenKey"`
}

// serveSubscribe makes a link of /ws-api/v3 hear the events of an account. There is no snapshot.
func serveSubscribe(e *engine, c *call, _ time.Time) (any, *apiError) {
	number := e.accounts[c.account].number
	for _, u := range c.link.users {
		if u.account == number {
			return subscribedView{u.id}, nil
		}
	}
	id := len(c.link.users)
	c.link.users = append(c.link.users, userSubscription{id, number})
	e.hub.users[number] = insert(e.hub.users[number], c.link)
	return subscribedView{id}, nil
}

type subscribedView struct {
	ID int `json:"subscriptionId"`
}
