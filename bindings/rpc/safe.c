#include "rpc/safe.h"

#include <string.h>

/* Sorted. Filters are not here: eth_newFilter makes one, eth_getFilterChanges moves one on. */
static const char *const methods[] = {
    "eth_accounts",
    "eth_blobBaseFee",
    "eth_blockNumber",
    "eth_call",
    "eth_chainId",
    "eth_coinbase",
    "eth_createAccessList",
    "eth_estimateGas",
    "eth_feeHistory",
    "eth_gasPrice",
    "eth_getBalance",
    "eth_getBlockByHash",
    "eth_getBlockByNumber",
    "eth_getBlockReceipts",
    "eth_getBlockTransactionCountByHash",
    "eth_getBlockTransactionCountByNumber",
    "eth_getCode",
    "eth_getLogs",
    "eth_getProof",
    "eth_getStorageAt",
    "eth_getTransactionByBlockHashAndIndex",
    "eth_getTransactionByBlockNumberAndIndex",
    "eth_getTransactionByHash",
    "eth_getTransactionCount",
    "eth_getTransactionReceipt",
    "eth_getUncleByBlockHashAndIndex",
    "eth_getUncleByBlockNumberAndIndex",
    "eth_getUncleCountByBlockHash",
    "eth_getUncleCountByBlockNumber",
    "eth_hashrate",
    "eth_maxPriorityFeePerGas",
    "eth_mining",
    "eth_protocolVersion",
    "eth_syncing",
    "net_listening",
    "net_peerCount",
    "net_version",
    "rpc.discover",
    "rpc_modules",
    "system.listMethods",
    "txpool_content",
    "txpool_inspect",
    "txpool_status",
    "web3_clientVersion",
    "web3_sha3",
};

static bool is_listed(const char *method, const json_t *safe)
{
    const json_t *one;
    size_t i;
    for (i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (strcmp(methods[i], method) == 0) {
            return true;
        }
    }
    json_array_foreach(safe, i, one) {
        if (json_is_string(one) && strcmp(json_string_value(one), method) == 0) {
            return true;
        }
    }
    return false;
}

int rb_rpc_check_safe(const json_t *calls, const json_t *connection, struct rb_err *err)
{
    const json_t *call;
    size_t i;
    json_array_foreach(calls, i, call) {
        const char *method = json_string_value(json_array_get(call, 0));
        if (method && !is_listed(method, json_object_get(connection, "safe"))) {
            rb_err_set(err, RB_EFORBIDDEN, RB_T_rpc_not_safe, method);
            rb_err_hint(err, RB_T_rpc_not_safe_hint, method);
            return RB_EFORBIDDEN;
        }
    }
    return 0;
}
