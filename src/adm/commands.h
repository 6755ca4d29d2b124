// The commands. Each may be run again after it was killed; what changes something takes the lock of
// the state directory first.
#pragma once

#include "adm/context.h"

namespace adm {

Reply init(const Context& context);
Reply join(const Context& context);
Reply reset(const Context& context);
Reply info(const Context& context);
Reply download(const Context& context);
Reply status(const Context& context);

Reply member_list(const Context& context);
Reply member_add(const Context& context);
Reply member_remove(const Context& context);
Reply member_replace(const Context& context);
Reply member_recover(const Context& context);
Reply member_promote(const Context& context);
Reply move_leader(const Context& context);

Reply snapshot_save(const Context& context);
Reply snapshot_status(const Context& context);
Reply snapshot_verify(const Context& context);
Reply snapshot_list(const Context& context);
Reply snapshot_restore(const Context& context);

Reply token_create(const Context& context);
Reply token_serve(const Context& context);

Reply certs_list(const Context& context);
Reply certs_check(const Context& context);
Reply certs_generate(const Context& context);
Reply certs_rotate(const Context& context);
Reply certs_renew(const Context& context);
Reply upgrade_plan(const Context& context);
Reply upgrade_apply(const Context& context);
Reply adopt(const Context& context);
Reply doctor(const Context& context);
Reply defrag(const Context& context);

}  // namespace adm
