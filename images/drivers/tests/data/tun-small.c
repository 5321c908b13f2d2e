// A small driver in tun's likeness, for tests of edits and patches.
#include <linux/module.h>
#include <linux/skbuff.h>

static int tun_put(struct ring *ring, struct sk_buff *skb); /* skb_orphan(skb); { */

static int tun_net_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct tun_file *tfile = tfile_of(dev);

	if (unlikely(skb_orphan_frags_rx(skb, GFP_ATOMIC)))
		goto drop;

	skb_tx_timestamp(skb);

	skb_orphan(skb);

	nf_reset_ct(skb);

	if (ptr_ring_produce(&tfile->tx_ring, skb)) {
		pr_debug("full: skb_orphan(%p) }\n", skb);
		goto drop;
	}

#ifdef CONFIG_FASYNC
	if (tfile->flags & TUN_FASYNC) {
#else
	if (0) {
#endif
		kill_fasync(&tfile->fasync, SIGIO, POLL_IN);
	}
	tfile->socket.sk->sk_data_ready(tfile->socket.sk);
	return NETDEV_TX_OK;

drop:
	kfree_skb(skb);
	return NET_XMIT_DROP;
}

static ssize_t tun_do_read(struct tun_file *tfile, struct iov_iter *to)
{
	struct sk_buff *skb = tun_ring_recv(tfile);
	ssize_t ret = tun_put_user(tfile, skb, to);

	if (unlikely(ret < 0))
		kfree_skb(skb);
	else
		consume_skb(skb);

	return ret;
}

static ssize_t tun_get_user(struct tun_file *tfile, struct iov_iter *from)
{
	size_t total_len = iov_iter_count(from);
	bool frags = tun_napi_frags_enabled(tfile);
	struct sk_buff *skb = tun_alloc_skb(tfile, from);

	skb_record_rx_queue(skb, tfile->queue_index);
	netif_rx(skb);
	return total_len;
}
